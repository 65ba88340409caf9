// Several that begin or continue one study at the same moment: one of them does.
#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

constexpr int kStarts = 6;
constexpr int kRounds = 10;

using Opened = std::vector<Result<std::unique_ptr<Study>>>;

// Calls open(i) for every i in [0, kStarts) at the same moment; keeps what they return.
template <typename Open>
Opened AtOnce(Open open) {
  std::vector<std::optional<Result<std::unique_ptr<Study>>>> results(kStarts);
  std::barrier ready(kStarts);
  std::vector<std::thread> threads;
  for (int i = 0; i < kStarts; ++i) {
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      results[static_cast<std::size_t>(i)].emplace(open(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  Opened opened;
  for (auto& result : results) opened.push_back(std::move(*result));
  return opened;
}

// The index of the only one that was opened. The others say why not, and name the study.
std::size_t OnlyWinner(const Opened& opened, const std::string& path) {
  std::vector<std::size_t> winners;
  for (std::size_t i = 0; i < opened.size(); ++i) {
    if (opened[i].ok()) {
      winners.push_back(i);
      continue;
    }
    const Status status = opened[i].status();
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.message();
    EXPECT_NE(status.message().find(path + ": is being written by "), std::string::npos)
        << status.message();
  }
  EXPECT_EQ(winners.size(), 1U);
  return winners.empty() ? 0 : winners.front();
}

TEST(SimultaneousStartsTest, OneCreatesTheStudyAndTheOthersDestroyNothing) {
  for (int round = 0; round < kRounds; ++round) {
    const StudyFolder folder;
    const std::string path = folder.Path("a.db");
    Opened opened = AtOnce(
        [&](int i) { return Study::Create(path, R"({"start":)" + std::to_string(i) + "}"); });
    const std::size_t winner = OnlyWinner(opened, path);
    ASSERT_TRUE(opened[winner].ok());
    Study& study = **opened[winner];
    EXPECT_EQ(study.config_json(), R"({"start":)" + std::to_string(winner) + "}");
    EXPECT_TRUE(study.Append("proposal", "{}").ok());
    opened.clear();
    EXPECT_EQ(Problem(path), "");
    EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(path))->Events()).size(), 2U);
    EXPECT_EQ(folder.FileNames(), std::set<std::string>{"a.db"});
  }
}

TEST(SimultaneousStartsTest, OneContinuesTheStudyAndTheOthersDestroyNothing) {
  const StudyFolder folder;
  const std::string path = folder.Path("a.db");
  ASSERT_TRUE(ValueOrDie(Study::Create(path, "{}"))->Append("proposal", "{}").ok());
  for (int round = 0; round < kRounds; ++round) {
    Opened opened = AtOnce([&](int) { return Study::OpenForResume(path); });
    const std::size_t winner = OnlyWinner(opened, path);
    ASSERT_TRUE(opened[winner].ok());
    EXPECT_TRUE((*opened[winner])->Append("proposal", "{}").ok());
  }
  EXPECT_EQ(Problem(path), "");
  const auto study = ValueOrDie(Study::OpenReadOnly(path));
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 2U + kRounds);
  EXPECT_EQ(ValueOrDie(study->Runs()).size(), 1U + kRounds) << "only winners are runs";
}

}  // namespace
}  // namespace bitpilot

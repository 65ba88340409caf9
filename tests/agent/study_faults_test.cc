// Faults of a study's files that happen to people: a log beside the file that ends too early, as a
// copy, a full disk or a power cut leaves it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

// Every whole transaction of it is there, and nothing of the one that is cut.
TEST(StudyFaultsTest, F15ATruncatedLogLeavesTheLastConsistentState) {
  const StudyFolder folder;
  const std::string path = folder.Path("a.db");
  const std::unique_ptr<Study> study = BeginStudy(path);
  std::vector<Event> all = ValueOrDie(study->Events());
  // Each with the size that the log had then: what was acknowledged by that byte.
  std::vector<std::pair<std::uintmax_t, std::size_t>> acknowledged;
  for (int step = 0; step < 12; ++step) {
    ASSERT_TRUE(study->Append("proposal", "{\"step\":" + std::to_string(step) + "}").ok());
    all = ValueOrDie(study->Events());
    acknowledged.emplace_back(std::filesystem::file_size(path + "-wal"), all.size());
  }
  const std::string file = ReadBytes(path);
  const std::string log = ReadBytes(path + "-wal");
  std::size_t fewest = all.size();
  for (std::size_t size = log.size(); size > log.size() / 2; size -= 1234) {
    SCOPED_TRACE(size);
    const StudyFolder elsewhere;
    const std::string copy = elsewhere.Path("b.db");
    WriteBytes(copy, file);
    WriteBytes(copy + "-wal", log.substr(0, size));
    EXPECT_EQ(Problem(copy), "");
    const std::vector<Event> events = ValueOrDie(ValueOrDie(Study::OpenReadOnly(copy))->Events());
    ASSERT_LE(events.size(), all.size());
    for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].payload, all[i].payload);
    for (const auto& [bytes, count] : acknowledged) {
      // A log that was begun anew is as long as before.
      const bool is_last = bytes == acknowledged.back().first;
      if (bytes <= size && (!is_last || size == log.size())) {
        EXPECT_GE(events.size(), count);
      }
    }
    fewest = std::min(fewest, events.size());
  }
  EXPECT_LT(fewest, all.size()) << "nothing was cut";
}

}  // namespace
}  // namespace bitpilot

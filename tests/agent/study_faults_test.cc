// Faults of a study's files that happen to people: a log beside the file that ends too early, as a
// copy, a full disk or a power cut leaves it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "agent/study/sqlite/sqlite_database.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

// Every whole transaction of it is there, and nothing of the one that is cut.
TEST(StudyFaultsTest, F15ATruncatedLogLeavesTheLastConsistentState) {
  const StudyFolder folder;
  const std::string path = folder.Path("a.db");
  const std::unique_ptr<Study> study = BeginStudy(path);
  // A reader in the middle of its work: until it ends, what follows stays in the log alone.
  const auto reader = ValueOrDie(SqliteDatabase::Open(path, SqliteMode::kReadOnly));
  ASSERT_TRUE(reader->Execute("BEGIN").ok());
  ASSERT_GT(ValueOrDie(reader->QueryInt("SELECT count(*) FROM event")), 0);
  // How much of the log holds how many events.
  std::vector<std::pair<std::uintmax_t, std::size_t>> acknowledged;
  std::vector<Event> all;
  for (int step = 0; step < 12; ++step) {
    ASSERT_TRUE(study->Append("proposal", "{\"step\":" + std::to_string(step) + "}").ok());
    all = ValueOrDie(study->Events());
    acknowledged.emplace_back(std::filesystem::file_size(path + "-wal"), all.size());
  }
  const std::string file = ReadBytes(path);
  const std::string log = ReadBytes(path + "-wal");
  std::size_t fewest = all.size();
  for (std::size_t size = log.size(); size > 1234; size -= 1234) {
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
      if (bytes <= size) {
        EXPECT_GE(events.size(), count);
      }
    }
    fewest = std::min(fewest, events.size());
  }
  EXPECT_LT(fewest, all.size()) << "nothing was cut";
}

}  // namespace
}  // namespace bitpilot

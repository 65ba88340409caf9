// A study on a disk that is full: what was acknowledged stays, and the search goes on later.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/agent/study_fixture.h"
#include "tests/full_disk.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

std::uintmax_t SizeOf(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

// The file, its log and its index may each be the first that does not grow.
TEST(FullDiskStudyTest, KeepsWhatWasAcknowledgedAndGoesOnWhenThereIsRoom) {
  for (const std::uintmax_t room : {0, 1'000, 5'000, 20'000, 50'000, 100'000}) {
    SCOPED_TRACE(room);
    const StudyFolder folder;
    const std::string path = folder.Path("a.db");
    std::unique_ptr<Study> study = BeginStudy(path);
    const std::size_t begun = ValueOrDie(study->Events()).size();
    std::size_t acknowledged = 0;
    Status status;
    {
      const FullDisk disk(std::max(SizeOf(path), SizeOf(path + "-wal")) + room);
      const std::string payload = R"({"text":")" + std::string(2'000, 'x') + "\"}";
      while (acknowledged < 1'000 && (status = study->Append("proposal", payload)).ok()) {
        ++acknowledged;
      }
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
      EXPECT_THAT(status.message(), HasSubstr(path));
      EXPECT_THAT(status.message(), HasSubstr("free some disk space"));
      EXPECT_FALSE(study->AppendMeasurement(MeasuredRow("m", 1e6)).ok());
      study.reset();
    }
    EXPECT_EQ(Problem(path), "");
    EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(path))->Events()).size(),
              begun + acknowledged);
    const auto resumed = ValueOrDie(Study::OpenForResume(path));
    EXPECT_TRUE(resumed->AppendMeasurement(MeasuredRow("m", 1e6)).ok());
    EXPECT_EQ(Problem(path), "");
  }
}

TEST(FullDiskStudyTest, ANewStudyLeavesNothingBehind) {
  const StudyFolder folder;
  const std::string path = folder.Path("a.db");
  Status status;
  {
    const FullDisk disk(8'192);
    status = Study::Create(path, "{}").status();
  }
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
  EXPECT_TRUE(folder.FileNames().empty());
  EXPECT_TRUE(Study::Create(path, "{}").ok());
}

}  // namespace
}  // namespace bitpilot

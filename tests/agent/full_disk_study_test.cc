// A study on a disk that is full or fails: what was acknowledged stays, and the search goes on later.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "tests/agent/study_fixture.h"
#include "tests/full_disk.h"

namespace {
// A disk that fails every write of SQLite's, with an error of errno.h, while there is one of these.
class FailingDisk {
 public:
  explicit FailingDisk(int with) { error = with; }
  ~FailingDisk() { error = 0; }
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  static int error;
};
int FailingDisk::error = 0;
}  // namespace

// SQLite's library finds this one before the C library's.
extern "C" ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t offset) {
  if (FailingDisk::error != 0) {
    errno = FailingDisk::error;
    return -1;
  }
  return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
}

namespace bitpilot {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::uintmax_t SizeOf(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

// The file, its log and its index may each be the first that does not grow.
TEST(FullDiskStudyTest, F11KeepsWhatWasAcknowledgedAndGoesOnWhenThereIsRoom) {
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

// Of 0 bytes, not even the lock beside it has room; of 5, half of it.
TEST(FullDiskStudyTest, ANewStudyLeavesNothingBehind) {
  for (const rlim_t room : {0, 5, 8'192}) {
    SCOPED_TRACE(room);
    const StudyFolder folder;
    const std::string path = folder.Path("a.db");
    Status status;
    {
      const FullDisk disk(room);
      status = Study::Create(path, "{}").status();
    }
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
    EXPECT_THAT(status.message(), AllOf(HasSubstr(path), HasSubstr("free some disk space")));
    EXPECT_TRUE(folder.FileNames().empty());
    EXPECT_TRUE(Study::Create(path, "{}").ok());
  }
}

TEST(FullDiskStudyTest, AResumeSaysSoAndLeavesTheStudyAsItWas) {
  const StudyFolder folder;
  const std::string path = folder.Path("a.db");
  ASSERT_TRUE(BeginStudy(path)->Close().ok());
  const std::size_t begun = ValueOrDie(ValueOrDie(Study::OpenReadOnly(path))->Events()).size();
  for (const rlim_t room : {0, 5}) {
    SCOPED_TRACE(room);
    Status status;
    {
      const FullDisk disk(room);
      status = Study::OpenForResume(path).status();
    }
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
    EXPECT_THAT(status.message(), AllOf(HasSubstr(path), HasSubstr("free some disk space")));
    EXPECT_EQ(Problem(path), "");
    EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(path))->Events()).size(), begun);
  }
  EXPECT_TRUE(Study::OpenForResume(path).ok());
}

class FailingDiskStudyTest : public testing::Test {
 protected:
  // What is said when the disk begins to fail in the middle of a study; nothing of it is lost.
  std::string MessageOf(int error) {
    std::unique_ptr<Study> study = BeginStudy(path_);
    const std::size_t begun = ValueOrDie(study->Events()).size();
    Status status;
    {
      const FailingDisk disk(error);
      status = study->Append("proposal", "{}");
      EXPECT_FALSE(study->AppendMeasurement(MeasuredRow("m", 1e6)).ok());
      study.reset();
    }
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
    EXPECT_EQ(Problem(path_), "");
    EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(path_))->Events()).size(), begun);
    const auto resumed = ValueOrDie(Study::OpenForResume(path_));
    EXPECT_TRUE(resumed->AppendMeasurement(MeasuredRow("m", 1e6)).ok());
    return status.message();
  }

  const StudyFolder folder_;
  const std::string path_ = folder_.Path("a.db");
};

// Freeing space helps no disk that fails.
TEST_F(FailingDiskStudyTest, F11ADiskThatFailsIsNotFull) {
  EXPECT_THAT(MessageOf(EIO), AllOf(HasSubstr(path_), HasSubstr("the disk fails"),
                                    Not(HasSubstr("free some disk space"))));
}

// As the system makes one of which it found a part damaged.
TEST_F(FailingDiskStudyTest, F11AFileSystemThatBecomesReadOnlyIsNeitherFullNorDoesItFail) {
  EXPECT_THAT(MessageOf(EROFS),
              AllOf(HasSubstr(path_), HasSubstr("the file system is read-only"),
                    Not(HasSubstr("the disk fails")), Not(HasSubstr("free some disk space"))));
}

}  // namespace
}  // namespace bitpilot

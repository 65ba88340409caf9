#include "kernels/base/guarded_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace bitpilot {
namespace {

class GuardedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    Write(0600);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(mode_t mode) {
    std::ofstream(path_) << "content\n";
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
  }
  static StatusCode CodeOf(const std::string& path, GuardedContent content) {
    const Status status = ReadGuardedFile(path, content).status();
    EXPECT_TRUE(status.ok() || status.message().find(path) != std::string::npos)
        << status.message();
    return status.code();
  }

  const std::string folder_ = testing::TempDir() + "/guarded-" + std::to_string(getpid());
  const std::string path_ = folder_ + "/key";
};

TEST_F(GuardedFileTest, ReadsWhatOnlyItsOwnerCanChange) {
  EXPECT_EQ(ReadGuardedFile(path_, GuardedContent::kSecret).value(), "content\n");
  Write(0644);
  EXPECT_EQ(ReadGuardedFile(path_, GuardedContent::kList).value(), "content\n");
}

TEST_F(GuardedFileTest, RefusesSecretsThatOthersMayReadAndListsThatOthersMayWrite) {
  for (const mode_t mode : {0640, 0604, 0620, 0601}) {
    Write(mode);
    EXPECT_EQ(CodeOf(path_, GuardedContent::kSecret), StatusCode::kPermissionDenied) << mode;
  }
  for (const mode_t mode : {0664, 0646, 0620}) {
    Write(mode);
    EXPECT_EQ(CodeOf(path_, GuardedContent::kList), StatusCode::kPermissionDenied) << mode;
  }
}

TEST_F(GuardedFileTest, RefusesFilesOfOtherUsers) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file to another user";
  ASSERT_EQ(chown(path_.c_str(), 65'534, 65'534), 0);
  EXPECT_EQ(CodeOf(path_, GuardedContent::kSecret), StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(path_, GuardedContent::kList), StatusCode::kPermissionDenied);
}

TEST_F(GuardedFileTest, RefusesWhatIsNoFile) {
  const std::string link = folder_ + "/link";
  ASSERT_EQ(symlink(path_.c_str(), link.c_str()), 0);
  EXPECT_EQ(CodeOf(link, GuardedContent::kSecret), StatusCode::kInvalidArgument);
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(CodeOf(pipe, GuardedContent::kSecret), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(folder_, GuardedContent::kSecret), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(folder_ + "/none", GuardedContent::kSecret), StatusCode::kNotFound);
}

TEST_F(GuardedFileTest, RefusesAFileThatIsFarTooLarge) {
  std::ofstream(path_) << std::string((std::size_t{1} << 20) + 1, 'x');
  EXPECT_EQ(CodeOf(path_, GuardedContent::kSecret), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitpilot

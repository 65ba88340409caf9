#include "kernels/base/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace bitpilot {
namespace {

using testing::HasSubstr;

class FileLockTest : public testing::Test {
 protected:
  ~FileLockTest() override { std::filesystem::remove_all(folder_); }

  static std::string MakeFolder() {
    std::string pattern = testing::TempDir() + "file_lock-XXXXXX";
    return mkdtemp(pattern.data()) == nullptr ? std::string() : pattern;
  }

  const std::string folder_ = MakeFolder();
  const std::string path_ = folder_ + "/a";
};

TEST_F(FileLockTest, NamesWhoHoldsItUntilThatEnds) {
  std::optional<FileLock> lock;
  {
    Result<FileLock> first = FileLock::Acquire(path_);
    ASSERT_TRUE(first.ok()) << first.status().message();
    lock.emplace(std::move(*first));
  }
  EXPECT_TRUE(lock->IsInPlace());
  const Result<FileLock> second = FileLock::Acquire(path_);
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(),
              HasSubstr(path_ + ": is being written by process " + std::to_string(getpid())));
  lock.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "the side file goes with the lock";
  EXPECT_TRUE(FileLock::Acquire(path_).ok());
}

TEST_F(FileLockTest, SaysThatItsSideFileWasRemovedAndLeavesAnothersAlone) {
  Result<FileLock> lock = FileLock::Acquire(path_);
  ASSERT_TRUE(lock.ok());
  std::filesystem::remove(path_ + ".lock");
  EXPECT_FALSE(lock->IsInPlace());
  const Result<FileLock> other = FileLock::Acquire(path_);
  ASSERT_TRUE(other.ok());
  { const FileLock ended = std::move(*lock); }
  EXPECT_TRUE(other->IsInPlace());
}

TEST_F(FileLockTest, NeedsItsFolder) {
  EXPECT_EQ(FileLock::Acquire(folder_ + "/no/a").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitpilot

#include "kernels/base/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/file_io.h"
#include "tests/full_disk.h"

namespace bitpilot {
namespace {

// What this process asked of the disk: "flush <path>" and "rename <path>", in order.
std::vector<std::string> disk_calls;
// The call, counted from 0, that the disk fails; -1: none.
int failing_call = -1;

bool Fails(const std::string& call) {
  disk_calls.push_back(call);
  return static_cast<int>(disk_calls.size()) - 1 == failing_call;
}

}  // namespace
}  // namespace bitpilot

// Stand between this program and the C library.
extern "C" int fsync(int descriptor) {
  std::error_code error;
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  if (bitpilot::Fails("flush " + std::filesystem::read_symlink(link, error).string())) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  if (bitpilot::Fails("rename " + std::string(to))) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace bitpilot {
namespace {

class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atomic-XXXXXX").string();
    BITPILOT_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    disk_calls.clear();
    failing_call = -1;
  }
  ~AtomicFileTest() override {
    failing_call = -1;
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return folder_ / name; }
  long NumFiles() const { return std::distance(std::filesystem::directory_iterator(folder_), {}); }

  std::filesystem::path folder_;
};

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

TEST_F(AtomicFileTest, FlushesTheFileBeforeItTakesItsPlaceAndTheFolderAfter) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "new").ok());
  ASSERT_EQ(disk_calls.size(), 3U);
  EXPECT_TRUE(disk_calls[0].starts_with("flush " + Path("a.tmp-"))) << disk_calls[0];
  EXPECT_EQ(disk_calls[1], "rename " + Path("a"));
  EXPECT_EQ(disk_calls[2], "flush " + folder_.string());
}

TEST_F(AtomicFileTest, FlushesTheFolderAfterARenameAndAboveAFolderThatItMade) {
  ASSERT_TRUE(WriteFileAtomically(Path("part"), "x").ok());
  disk_calls.clear();
  ASSERT_TRUE(RenameDurably(Path("part"), Path("whole")).ok());
  EXPECT_EQ(disk_calls,
            (std::vector<std::string>{"rename " + Path("whole"), "flush " + folder_.string()}));
  disk_calls.clear();
  ASSERT_TRUE(MakeFolderDurably(Path("b/c"), 0700).ok());
  EXPECT_EQ(disk_calls,
            (std::vector<std::string>{"flush " + folder_.string(), "flush " + Path("b")}));
  EXPECT_EQ(ModeOf(Path("b/c")), 0700U);
  disk_calls.clear();
  ASSERT_TRUE(MakeFolderDurably(Path("b/c")).ok());
  EXPECT_TRUE(disk_calls.empty());
}

TEST_F(AtomicFileTest, KeepsTheOldFileWhateverCallFailsBeforeTheLast) {
  for (const int call : {0, 1}) {
    ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
    disk_calls.clear();
    failing_call = call;
    const Status status = WriteFileAtomically(Path("a"), "new");
    failing_call = -1;
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
    EXPECT_NE(status.message().find(Path("a") + ": cannot write"), std::string::npos);
    EXPECT_EQ(ReadFile(Path("a")).value(), "old");
    EXPECT_EQ(NumFiles(), 1);
  }
}

TEST_F(AtomicFileTest, SaysThatTheNewFileMayBeLostIfItsFolderCannotBeFlushed) {
  failing_call = 2;
  const Status status = WriteFileAtomically(Path("a"), "new");
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("power cut may lose it"), std::string::npos) << status.message();
  EXPECT_EQ(ReadFile(Path("a")).value(), "new");
}

TEST_F(AtomicFileTest, KeepsTheOldFileWhereFilesCannotGrow) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  Status status;
  {
    const FullDisk disk(2);
    status = WriteFileAtomically(Path("a"), "new");
  }
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
  EXPECT_EQ(ReadFile(Path("a")).value(), "old");
  EXPECT_EQ(NumFiles(), 1);
}

TEST_F(AtomicFileTest, KeepsTheOldFileOnAFileSystemThatIsFull) {
  std::filesystem::create_directory(Path("disk"));
  if (mount("none", Path("disk").c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "cannot mount a small file system: " << std::strerror(errno);
  }
  const Status first = WriteFileAtomically(Path("disk/a"), "old");
  const Status status = WriteFileAtomically(Path("disk/a"), std::string(100'000, 'x'));
  const Result<std::string> kept = ReadFile(Path("disk/a"));
  const long files = std::distance(std::filesystem::directory_iterator(Path("disk")), {});
  ASSERT_EQ(umount2(Path("disk").c_str(), MNT_DETACH), 0);
  ASSERT_TRUE(first.ok()) << first.message();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
  EXPECT_EQ(kept.value(), "old");
  EXPECT_EQ(files, 1);
}

TEST_F(AtomicFileTest, GivesAFileItsModeFromTheFirstMoment) {
  const Result<StagedFile> staged = StagedFile::Write(Path("key"), "secret", 0600);
  ASSERT_TRUE(staged.ok());
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(ModeOf(entry.path()), 0600U) << entry.path();
  }
  EXPECT_EQ(NumFiles(), 1);
}

TEST_F(AtomicFileTest, LeavesNothingOfAStagedFileThatNeverTookItsPlace) {
  { const Result<StagedFile> staged = StagedFile::Write(Path("a"), "x", 0666); }
  EXPECT_EQ(NumFiles(), 0);
}

TEST_F(AtomicFileTest, ReplacesWhatALinkNames) {
  ASSERT_TRUE(WriteFileAtomically(Path("real"), "old").ok());
  std::filesystem::create_symlink("real", Path("link"));
  ASSERT_TRUE(WriteFileAtomically(Path("link"), "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link")));
  EXPECT_EQ(ReadFile(Path("real")).value(), "new");
}

}  // namespace
}  // namespace bitpilot

#include "kernels/base/file_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

class FileIoTest : public testing::Test {
 protected:
  FileIoTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "file-io-XXXXXX").string();
    BITPILOT_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~FileIoTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }
  long NumFiles() const { return std::distance(std::filesystem::directory_iterator(folder_), {}); }

  std::filesystem::path folder_;
};

TEST_F(FileIoTest, ReplacesAFileAndLeavesNothingBeside) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("a"), std::string_view("n\0w", 3)).ok());
  EXPECT_EQ(ReadFile(Path("a")).value(), std::string("n\0w", 3));
  EXPECT_EQ(NumFiles(), 1);
}

TEST_F(FileIoTest, WritesDespiteWhatAPowerCutLeftOfAProcessOfTheSameId) {
  const std::string left = Path("a") + ".tmp-" + std::to_string(getpid()) + "-";
  for (int number = 0; number < 200; ++number) {
    std::ofstream(left + std::to_string(number)) << "half";
  }
  const Status status = WriteFileAtomically(Path("a"), "whole");
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(ReadFile(Path("a")).value(), "whole");
}

TEST_F(FileIoTest, RefusesAFolder) {
  std::filesystem::create_directory(Path("folder"));
  EXPECT_EQ(WriteFileAtomically(Path("folder"), "x").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(Path("folder")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomically(Path("none/a"), "x").code(), StatusCode::kNotFound);
  EXPECT_EQ(NumFiles(), 1);
}

TEST_F(FileIoTest, KnowsWhatIsThereAndWhatCanBeReadOnlyOnce) {
  std::filesystem::create_directory(Path("folder"));
  std::ofstream(Path("file")) << "x";
  std::filesystem::create_symlink("file", Path("link"));
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const char* name : {"folder", "file", "link"}) {
    EXPECT_TRUE(CheckIsThere(Path(name)).ok()) << name;
    EXPECT_FALSE(IsReadOnce(Path(name))) << name;
    EXPECT_TRUE(CheckCanBeReadAgain(Path(name)).ok()) << name;
  }
  EXPECT_TRUE(CheckIsThere(Path("pipe")).ok());
  EXPECT_TRUE(IsReadOnce(Path("pipe")));
  const Status pipe = CheckCanBeReadAgain(Path("pipe"));
  EXPECT_EQ(pipe.code(), StatusCode::kUnsupported);
  EXPECT_EQ(pipe.message().find(Path("pipe")), 0U) << pipe.message();
  EXPECT_EQ(CheckIsThere(Path("none")).code(), StatusCode::kNotFound);
  EXPECT_FALSE(IsReadOnce(Path("none")));
  EXPECT_EQ(CheckCanBeReadAgain(Path("none")).code(), StatusCode::kNotFound);
  EXPECT_EQ(CheckIsThere(Path(std::string(5000, 'x'))).code(), StatusCode::kDataCorrupt);
}

TEST_F(FileIoTest, WritesIntoAPipeInsteadOfReplacingIt) {
  const std::string pipe = Path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  Result<std::string> read = std::string();
  std::thread reader([&] { read = ReadFile(pipe); });
  const Status written = WriteFileAtomically(pipe, "through");
  reader.join();
  EXPECT_TRUE(written.ok()) << written.message();
  EXPECT_EQ(read.value(), "through");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST_F(FileIoTest, SaysThatADeviceIsFullAndLeavesIt) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "this system has no /dev/full";
  // By a link: were it replaced, the system's device would stay.
  std::filesystem::create_symlink("/dev/full", Path("full"));
  const Status status = WriteFileAtomically(Path("full"), "lost");
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("full: cannot write"), std::string::npos) << status.message();
  EXPECT_TRUE(std::filesystem::is_symlink(Path("full")));
}

}  // namespace
}  // namespace bitpilot

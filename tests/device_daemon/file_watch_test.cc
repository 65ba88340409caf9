#include "device_daemon/server/file_watch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

class FileWatchTest : public testing::Test {
 protected:
  // Whether the file is reported after `change`.
  bool Tells(const std::function<void()>& change) {
    changes_ = 0;
    change();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (changes_ == 0 && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_for(std::chrono::milliseconds{10});
    }
    return changes_ > 0;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "list";
  boost::asio::io_context io_;
  int changes_ = 0;
  FileWatch watch_{io_, path_, [this] { ++changes_; }};
};

TEST_F(FileWatchTest, TellsThatAFileWasWrittenReplacedOrRemoved) {
  ASSERT_TRUE(watch_.Start().ok());
  EXPECT_TRUE(Tells([&] { std::ofstream(path_) << "one\n"; }));
  EXPECT_TRUE(Tells([&] { std::ofstream(path_, std::ios::app) << "two\n"; }));
  EXPECT_TRUE(Tells([&] { chmod(path_.c_str(), 0666); }));
  EXPECT_TRUE(Tells([&] {
    std::ofstream(path_ + ".new") << "three\n";
    std::filesystem::rename(path_ + ".new", path_);
  }));
  EXPECT_TRUE(Tells([&] { std::filesystem::remove(path_); }));
}

TEST_F(FileWatchTest, SaysNothingOfOtherFiles) {
  ASSERT_TRUE(watch_.Start().ok());
  std::ofstream(folder_ / "list.lock") << "x";
  std::ofstream(folder_ / "lis") << "x";
  io_.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(changes_, 0);
}

// An editor moves the file aside and writes a new one: nobody is to see that there was none.
TEST_F(FileWatchTest, WaitsForTheFileThatAnEditorWritesAnew) {
  std::ofstream(path_) << "one\n";
  ASSERT_TRUE(watch_.Start().ok());
  bool was_there = true;
  FileWatch looks(io_, path_, [&] { was_there = was_there && std::filesystem::exists(path_); });
  ASSERT_TRUE(looks.Start().ok());
  EXPECT_TRUE(Tells([&] {
    std::filesystem::rename(path_, path_ + "~");
    io_.restart();
    io_.run_for(std::chrono::milliseconds{50});
    std::ofstream(path_) << "two\n";
  }));
  EXPECT_TRUE(was_there);
}

TEST_F(FileWatchTest, FailsWithoutTheFolder) {
  FileWatch watch(io_, folder_ / "none/list", [] {});
  EXPECT_EQ(watch.Start().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace bitpilot

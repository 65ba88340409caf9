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
  watch_.Start();
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
  watch_.Start();
  std::ofstream(folder_ / "list.lock") << "x";
  std::ofstream(folder_ / "lis") << "x";
  io_.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(changes_, 0);
}

// An editor moves the file aside and writes a new one: nobody is to see that there was none.
TEST_F(FileWatchTest, WaitsForTheFileThatAnEditorWritesAnew) {
  std::ofstream(path_) << "one\n";
  watch_.Start();
  bool was_there = true;
  FileWatch looks(io_, path_, [&] { was_there = was_there && std::filesystem::exists(path_); });
  looks.Start();
  EXPECT_TRUE(Tells([&] {
    std::filesystem::rename(path_, path_ + "~");
    io_.restart();
    io_.run_for(std::chrono::milliseconds{50});
    std::ofstream(path_) << "two\n";
  }));
  EXPECT_TRUE(was_there);
}

// Keys that are deployed as a folder: the new one takes the place of the old.
TEST_F(FileWatchTest, GoesOnWhenTheFolderIsReplaced) {
  namespace fs = std::filesystem;
  const std::string keys = folder_ / "keys";
  const std::string list = keys + "/list";
  const auto replace_folder = [&](const std::string& text) {
    fs::create_directory(folder_ / "new");
    std::ofstream(folder_ / "new/list") << text;
    fs::remove_all(folder_ / "old");
    fs::rename(keys, folder_ / "old");
    fs::rename(folder_ / "new", keys);
  };
  fs::create_directory(keys);
  std::ofstream(list) << "one\n";
  FileWatch watch(io_, list, [this] { ++changes_; });
  watch.Start();
  EXPECT_TRUE(Tells([&] { replace_folder("two\n"); }));
  EXPECT_TRUE(Tells([&] { std::ofstream(list, std::ios::app) << "three\n"; }));
  EXPECT_TRUE(Tells([&] { replace_folder("four\n"); }));
  EXPECT_TRUE(Tells([&] { fs::remove_all(keys); }));
  EXPECT_TRUE(Tells([&] {
    fs::create_directory(keys);
    std::ofstream(list) << "five\n";
  }));
  EXPECT_TRUE(Tells([&] { std::ofstream(list) << "six, written anew\n"; }));
}

TEST_F(FileWatchTest, SeesWhereASymbolicLinkLeadsAndAFolderFurtherUpThatIsReplaced) {
  namespace fs = std::filesystem;
  for (const char* folder : {"a", "a/keys", "b", "b/keys"}) fs::create_directory(folder_ / folder);
  std::ofstream(folder_ / "a/keys/list") << "one\n";
  std::ofstream(folder_ / "b/keys/list") << "two\n";
  fs::create_symlink("a", folder_ / "now");
  FileWatch watch(io_, folder_ / "now/keys/list", [this] { ++changes_; });
  watch.Start();
  EXPECT_TRUE(Tells([&] {
    fs::create_symlink("b", folder_ / "next");
    fs::rename(folder_ / "next", folder_ / "now");
  }));
  EXPECT_TRUE(Tells([&] { std::ofstream(folder_ / "b/keys/list", std::ios::app) << "three\n"; }));
}

TEST_F(FileWatchTest, WaitsForAFolderThatIsNotThereYet) {
  FileWatch watch(io_, folder_ / "none/list", [this] { ++changes_; });
  watch.Start();
  EXPECT_TRUE(Tells([&] {
    std::filesystem::create_directory(folder_ / "none");
    std::ofstream(folder_ / "none/list") << "one\n";
  }));
}

}  // namespace
}  // namespace bitpilot

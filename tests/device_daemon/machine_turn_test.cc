// Turns of daemons that share a folder; flock counts open files, so objects stand for processes.
#include "device_daemon/server/machine_turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

TEST(MachineTurnTest, IsOnesAtATime) {
  const TemporaryFolder folder;
  MachineTurn one({folder.path()});
  MachineTurn other({folder.path()});
  EXPECT_TRUE(one.TryTake());
  EXPECT_TRUE(one.TryTake()) << "it has it already";
  EXPECT_FALSE(other.TryTake());
  one.GiveBack();
  EXPECT_TRUE(other.TryTake());
  EXPECT_FALSE(one.TryTake());
  EXPECT_EQ(one.problem() + other.problem(), "");
}

// A daemon that measures one candidate after the other must not keep others away for ever.
TEST(MachineTurnTest, GoesToWhoWaitsBeforeWhoHadIt) {
  const TemporaryFolder folder;
  MachineTurn busy({folder.path()});
  MachineTurn waiting({folder.path()});
  ASSERT_TRUE(busy.TryTake());
  ASSERT_FALSE(waiting.TryTake());
  busy.GiveBack();
  EXPECT_FALSE(busy.TryTake());
  EXPECT_TRUE(waiting.TryTake());
  EXPECT_FALSE(busy.TryTake());
  waiting.GiveBack();
  EXPECT_FALSE(waiting.TryTake());
  EXPECT_TRUE(busy.TryTake());
}

TEST(MachineTurnTest, AWaitThatIsGivenUpKeepsNobodyBack) {
  const TemporaryFolder folder;
  MachineTurn busy({folder.path()});
  {
    MachineTurn waiting({folder.path()});
    ASSERT_TRUE(busy.TryTake());
    ASSERT_FALSE(waiting.TryTake());
  }
  busy.GiveBack();
  EXPECT_TRUE(busy.TryTake());
}

// Daemons of other users must be able to open it, and nobody to change it.
TEST(MachineTurnTest, ItsFilesCanBeReadByAllWhateverTheUmask) {
  const TemporaryFolder folder;
  const mode_t before = umask(0077);
  MachineTurn turn({folder.path()});
  EXPECT_TRUE(turn.TryTake());
  umask(before);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.status().permissions(), std::filesystem::perms(0644)) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 2);
}

TEST(MachineTurnTest, UsesTheNextFolderWhereTheFirstIsNotThere) {
  const TemporaryFolder folder;
  MachineTurn one({"/nowhere/at/all", folder.path()});
  MachineTurn other({folder.path()});
  EXPECT_TRUE(one.TryTake());
  EXPECT_FALSE(other.TryTake());
}

TEST(MachineTurnTest, ALockWhoseFileWasRemovedIsMadeAnew) {
  const TemporaryFolder folder;
  MachineTurn one({folder.path()});
  ASSERT_TRUE(one.TryTake());
  one.GiveBack();
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::filesystem::remove(entry.path());
  }
  MachineTurn other({folder.path()});
  EXPECT_TRUE(other.TryTake());
  EXPECT_FALSE(one.TryTake());
}

// Links and pipes that somebody put there are neither followed nor waited for; without a lock the
// daemon measures all the same, and says so.
TEST(MachineTurnTest, GoesWithoutTurnsWhereThereIsNoLock) {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  const std::string target = elsewhere.path() + "/target";
  std::filesystem::create_symlink(target, folder.path() + "/bitpilot-queue.lock");
  MachineTurn linked({folder.path()});
  EXPECT_TRUE(linked.TryTake());
  EXPECT_THAT(linked.problem(), HasSubstr("bitpilot-queue.lock"));
  EXPECT_FALSE(std::filesystem::exists(target));

  const TemporaryFolder pipes;
  ASSERT_EQ(mkfifo((pipes.path() + "/bitpilot-queue.lock").c_str(), 0644), 0);
  MachineTurn piped({pipes.path()});
  EXPECT_TRUE(piped.TryTake());
  EXPECT_THAT(piped.problem(), HasSubstr("not a plain file"));

  MachineTurn nowhere({"/nowhere/at/all"});
  EXPECT_TRUE(nowhere.TryTake());
  EXPECT_THAT(nowhere.problem(), HasSubstr("cannot take turns"));
}

}  // namespace
}  // namespace bitpilot

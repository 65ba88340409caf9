#include "device_daemon/server/baseline_keeper.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "kernels/base/file_io.h"
#include "tests/device_daemon/fake_sysfs.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

v1::BoardBaseline Seen(double celsius, double canary_ns) {
  v1::BoardBaseline seen;
  seen.set_idle_celsius(celsius);
  seen.set_canary_ns(canary_ns);
  seen.set_canary_scatter(0.1 / 3.0);
  return seen;
}

TEST(BaselineKeeperTest, KeepsTheBestOverARestart) {
  const TemporaryFolder store;
  {
    BaselineKeeper keeper(store.path(), "boot");
    EXPECT_FALSE(keeper.baseline().has_canary_ns());
    EXPECT_TRUE(keeper.Learn(Seen(41.5, 100'000.25)).ok());
    EXPECT_TRUE(keeper.Learn(Seen(40.0, 130'000)).ok());
  }
  const BaselineKeeper again(store.path(), "boot");
  EXPECT_EQ(again.baseline().idle_celsius(), 40.0);
  EXPECT_EQ(again.baseline().canary_ns(), 100'000.25);
  EXPECT_EQ(again.baseline().canary_scatter(), 0.1 / 3.0);
}

TEST(BaselineKeeperTest, BeginsAnewAfterABootAndOnAnotherBoard) {
  const TemporaryFolder store;
  EXPECT_TRUE(BaselineKeeper(store.path(), "boot").Learn(Seen(41, 1e5)).ok());
  EXPECT_FALSE(BaselineKeeper(store.path(), "later boot").baseline().has_idle_celsius());
}

TEST(BaselineKeeperTest, WritesNothingWhereTheBootIsNotKnown) {
  const TemporaryFolder store;
  BaselineKeeper keeper(store.path(), std::nullopt);
  EXPECT_TRUE(keeper.Learn(Seen(41, 1e5)).ok());
  EXPECT_EQ(keeper.baseline().canary_ns(), 1e5);
  EXPECT_FALSE(ReadFile(store / "board_baseline").ok());
}

TEST(BaselineKeeperTest, TakesNothingFromADamagedFile) {
  const TemporaryFolder store;
  const std::string path = store / "board_baseline";
  ASSERT_TRUE(BaselineKeeper(store.path(), "boot").Learn(Seen(41, 1e5)).ok());
  const std::string whole = *ReadFile(path);
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    std::ofstream(path) << whole.substr(0, size);
    EXPECT_FALSE(BaselineKeeper(store.path(), "boot").baseline().has_idle_celsius()) << size;
  }
  for (const char* line : {"canary_ns -1", "canary_ns nan", "idle_celsius 1e9", "idle_celsius x"}) {
    std::ofstream(path) << "bitpilot board baseline 1\nkey boot\n" << line << "\nend\n";
    EXPECT_FALSE(BaselineKeeper(store.path(), "boot").baseline().has_canary_ns()) << line;
    EXPECT_FALSE(BaselineKeeper(store.path(), "boot").baseline().has_idle_celsius()) << line;
  }
}

TEST(BaselineKeeperTest, RefusesWhatNoBoardIs) {
  const TemporaryFolder store;
  BaselineKeeper keeper(store.path(), "boot");
  EXPECT_EQ(keeper.Learn(Seen(41, 1e-9)).code(), StatusCode::kDataCorrupt);
  EXPECT_FALSE(keeper.baseline().has_idle_celsius());
}

// The worker runs what came over the wire; a canary that is too fast would make this board's every
// measurement one of a slow board.
TEST(BaselineKeeperTest, RefusesABoardThatBecameFasterThanAnyCan) {
  const TemporaryFolder store;
  BaselineKeeper keeper(store.path(), "boot");
  EXPECT_EQ(keeper.Learn(Seen(41, 4e3)).code(), StatusCode::kDataCorrupt);
  ASSERT_TRUE(keeper.Learn(Seen(41, 1e5)).ok());
  EXPECT_EQ(keeper.Learn(Seen(20, 1.9e4)).code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(keeper.baseline().canary_ns(), 1e5);
  EXPECT_EQ(keeper.baseline().idle_celsius(), 41);
  EXPECT_TRUE(keeper.Learn(Seen(41, 2.5e4)).ok());
  EXPECT_EQ(BaselineKeeper(store.path(), "boot").baseline().canary_ns(), 2.5e4);
}

TEST(BaselineKeyTest, IsOfTheBootAndOfWhatLasts) {
  const FakeSysfs board;
  v1::DeviceCapabilities device;
  device.set_cpu_model("a CPU");
  EXPECT_FALSE(BaselineKey(board.root(), device).has_value());
  board.Write("proc/sys/kernel/random/boot_id", "8c1d2c3b-0000-4000-8000-000000000001");
  const std::string key = BaselineKey(board.root(), device).value();
  device.set_free_memory_bytes(77);
  device.mutable_energy()->set_source("meter:js220");
  EXPECT_EQ(BaselineKey(board.root(), device), key);
  device.set_governor("powersave");
  EXPECT_NE(BaselineKey(board.root(), device), key);
  device.clear_governor();
  EXPECT_EQ(BaselineKey(board.root(), device), key);
  board.Write("proc/sys/kernel/random/boot_id", "8c1d2c3b-0000-4000-8000-000000000002");
  EXPECT_NE(BaselineKey(board.root(), device), key);
}

}  // namespace
}  // namespace bitpilot

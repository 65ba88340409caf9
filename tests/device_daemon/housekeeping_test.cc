#include "device_daemon/server/housekeeping.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

TEST(HousekeepingTest, WritesNothingDuringAMeasurementAndCatchesUpBeforeTheNext) {
  const TemporaryFolder folder;
  const std::string metrics = folder / "board.prom";
  const std::string latest_time = folder / "latest_time";
  bool is_measuring = true;
  int told = 0;
  boost::asio::io_context io;
  BoardClock clock(folder.path(), [] { return std::chrono::sys_seconds{BoardClock::kEarliest}; });
  Housekeeping housekeeping(
      io, clock, metrics, [&] { return is_measuring; },
      [&] {
        ++told;
        return DaemonMetrics();
      });
  ASSERT_TRUE(housekeeping.Start().ok());
  ASSERT_EQ(told, 1);  // That the file can be written is known at once.
  std::filesystem::remove(metrics);
  EXPECT_FALSE(std::filesystem::exists(latest_time));
  housekeeping.CatchUp();
  EXPECT_TRUE(std::filesystem::exists(latest_time));
  EXPECT_TRUE(std::filesystem::exists(metrics));
  housekeeping.CatchUp();
  EXPECT_EQ(told, 2);  // Nothing became due since.
}

}  // namespace
}  // namespace bitpilot

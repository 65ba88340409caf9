#include "agent/fleet/power_hook.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/fleet/steady_now.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

// Looks often until it has ended.
Status EndOf(PowerHook& hook) {
  for (;;) {
    if (const std::optional<Status> ended = hook.Ended(Instant{0})) return *ended;
    poll(nullptr, 0, 5);
  }
}

TEST(PowerHookTest, RunsTheCommandForItsBoard) {
  const TemporaryFolder folder;
  PowerHook hook("echo \"off and on: $BITPILOT_BOARD\" > " + folder.path() + "/said", "rpi5-a",
                 Instant{0});
  EXPECT_TRUE(EndOf(hook).ok());
  std::string line;
  std::getline(std::ifstream(folder.path() + "/said"), line);
  EXPECT_EQ(line, "off and on: rpi5-a");
}

TEST(PowerHookTest, SaysHowACommandFailed) {
  PowerHook failing("exit 7", "rpi5-a", Instant{0});
  const Status status = EndOf(failing);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_EQ(status.message(), "'exit 7' ended with exit code 7");
}

// Between "off" and "on" its board is off.
TEST(PowerHookTest, LetsACommandEndThatNobodyAsksForAnyMore) {
  const TemporaryFolder folder;
  { const PowerHook hook("cat /dev/null; touch " + folder / "on", "rpi5-a", SteadyNow()); }
  EXPECT_TRUE(std::filesystem::exists(folder / "on"));
}

TEST(PowerHookTest, KillsACommandThatTakesTooLongAndNeverWaits) {
  PowerHook hook("sleep 1000", "rpi5-a", Instant{0});
  EXPECT_FALSE(hook.Ended(PowerHook::kLimit - std::chrono::milliseconds(1)).has_value());
  const std::optional<Status> ended = hook.Ended(PowerHook::kLimit);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code(), StatusCode::kTimeout);
}

}  // namespace
}  // namespace bitpilot

// Random histories against the core.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/device_daemon/daemon_history.h"

namespace bitpilot::daemon {
namespace {

TEST(DaemonCoreFuzzTest, F31KeepsItsInvariantsInRandomHistories) {
  int jobs_started = 0;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    DaemonHistory history(
        [&random](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); });
    history.Run(400);
    EXPECT_EQ(history.violations(), std::vector<std::string>());
    jobs_started += history.jobs_started();
  }
  EXPECT_GT(jobs_started, 1'000);  // The histories do get past the lease.
}

}  // namespace
}  // namespace bitpilot::daemon

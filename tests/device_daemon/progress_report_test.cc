#include "device_daemon/worker/progress_report.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/device_daemon/simulated_clock.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

class ProgressReportTest : public testing::Test {
 protected:
  SimulatedClock clock_;
  std::vector<v1::MeasureProgress> sent_;
  ProgressReport report_{clock_, [this](const v1::MeasureProgress& one) { sent_.push_back(one); }};
};

TEST_F(ProgressReportTest, SaysTheFirstStepOfAJobAtOnceAndOthersEveryHalfSecond) {
  report_.Begin("sixteen bytes id");
  for (int i = 0; i < 1'000; ++i) {
    report_.Add({.phase = "timing", .windows_done = i});
    clock_.Pass(1e6);
  }
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(sent_[0].measure_id(), "sixteen bytes id");
  EXPECT_EQ(sent_[1].windows_done(), 500U);
  report_.Begin("another, 16 byte");
  report_.Add({.phase = "preparing"});
  EXPECT_EQ(sent_.size(), 3U);
}

// Whoever watches must know before the silence begins.
TEST_F(ProgressReportTest, AnnouncesALongerSilenceAtOnce) {
  report_.Begin("sixteen bytes id");
  report_.Add({.phase = "warm-up", .silence_ns = kSecondNs});
  report_.Add({.phase = "warm-up", .silence_ns = kSecondNs});
  report_.Add({.phase = "warm-up", .remaining_ns = 500'000, .silence_ns = 40 * kSecondNs});
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_EQ(sent_[1].silence_ms(), 40'000U);
  EXPECT_EQ(sent_[1].remaining_ms(), 1U);
}

}  // namespace
}  // namespace bitpilot

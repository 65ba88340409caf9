#include "device_daemon/measurement/clock_rate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "device_daemon/measurement/board_watch.h"
#include "tests/device_daemon/fake_sysfs.h"
#include "tests/device_daemon/simulated_clock.h"

namespace bitpilot {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// Whatever this machine is, it is no calculator and no star.
TEST(ClockRateTest, FindsAClockThatACpuMayHave) {
  const std::optional<double> mhz = MeasureClockMhz(SystemMeasureClock());
  if (!mhz) GTEST_SKIP() << "the additions are not written for this architecture";
  EXPECT_GT(*mhz, 50.0);
  EXPECT_LT(*mhz, 10'000.0);
}

class ClockWatchTest : public testing::Test {
 protected:
  ClockWatch watch_{[this] { return measured_; }, [this] { return claimed_; }};
  std::optional<double> measured_ = 1'500.0;
  std::optional<double> claimed_ = 1'500.0;
  v1::Conditions conditions_;
};

TEST_F(ClockWatchTest, RecordsTheLeasesClockAndTheLowestOfTheMeasurement) {
  watch_.Look();
  measured_ = 1'480.0;
  watch_.Look();
  measured_ = 1'490.0;
  watch_.Look();
  watch_.Record(conditions_);
  EXPECT_DOUBLE_EQ(conditions_.clock_lease_mhz(), 1'500.0);
  EXPECT_DOUBLE_EQ(conditions_.clock_mhz(), 1'480.0);
  EXPECT_DOUBLE_EQ(conditions_.claimed_clock_mhz(), 1'500.0);
  EXPECT_EQ(watch_.Describe(), "");
  watch_.BeginMeasurement();
  watch_.Look();
  watch_.Record(conditions_);
  EXPECT_DOUBLE_EQ(conditions_.clock_mhz(), 1'490.0);
  watch_.BeginLease();
  watch_.Look();
  watch_.Record(conditions_);
  EXPECT_DOUBLE_EQ(conditions_.clock_lease_mhz(), 1'490.0);
}

TEST_F(ClockWatchTest, SaysThatACpuIsThrottledThoughCpufreqSaysNot) {
  measured_ = 600.0;
  watch_.Look();
  EXPECT_EQ(watch_.Describe(),
            "throttled though cpufreq says not: the CPU runs at 600 MHz, measured by its "
            "additions, and cpufreq claims 1500 MHz");
}

TEST_F(ClockWatchTest, SaysNothingWhereCpufreqAdmitsIt) {
  measured_ = claimed_ = 600.0;
  watch_.Look();
  EXPECT_EQ(watch_.Describe(), "");
}

// A claim below what the CPU does, as of a boost that cpufreq does not know, slows nothing down.
TEST_F(ClockWatchTest, AcceptsAClockAboveTheClaimAndNoClaimAtAll) {
  measured_ = 3'400.0;
  watch_.Look();
  EXPECT_EQ(watch_.Describe(), "");
  claimed_.reset();
  measured_ = 600.0;
  watch_.Look();
  EXPECT_EQ(watch_.Describe(), "");
  watch_.BeginMeasurement();
  watch_.Look();
  watch_.Record(conditions_);
  EXPECT_FALSE(conditions_.has_claimed_clock_mhz());
}

// The frequency changed between the two readings: the second pair agrees.
TEST(ClockWatchReadingTest, LooksTwiceBeforeItBelievesAThrottledCpu) {
  int reads = 0;
  ClockWatch watch([&]() -> std::optional<double> { return ++reads == 1 ? 600.0 : 1'500.0; },
                   []() -> std::optional<double> { return 1'500.0; });
  watch.Look();
  EXPECT_EQ(reads, 2);
  EXPECT_EQ(watch.Describe(), "");
}

TEST(ClockWatchReadingTest, RecordsNothingWhereTheClockCannotBeMeasured) {
  ClockWatch watch({}, {});
  watch.Look();
  v1::Conditions conditions;
  watch.Record(conditions);
  EXPECT_FALSE(conditions.has_clock_mhz());
  EXPECT_EQ(watch.Describe(), "");
}

// A Raspberry Pi on a weak supply: the firmware halves the clock, and cpufreq does not know.
TEST(ClockOfTheBoardTest, MakesAMeasurementNoisyUnlessTheAgentTrainsThere) {
  FakeSysfs board;
  board.Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1500000");
  board.Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance");
  SimulatedClock clock;
  for (const bool shares_agent_host : {false, true}) {
    double mhz = 1'500.0;
    BoardWatchOptions options;
    options.root = board.root();
    options.cpu = 0;
    options.shares_agent_host = shares_agent_host;
    options.pause = [&] { clock.Pass(0, 1e9); };
    options.canary = [&] { clock.Pass(100'000); };
    options.clock_mhz = [&]() -> std::optional<double> { return mhz; };
    BoardWatch watch(std::move(options));
    v1::Conditions conditions;
    const auto measure = [&] {
      conditions.Clear();
      EXPECT_EQ(watch
                    .Begin(
                        clock, [] {}, conditions)
                    .status,
                v1::OK);
      clock.Pass(1e9);
      return watch.End(clock, conditions);
    };
    EXPECT_EQ(measure(), "");
    EXPECT_DOUBLE_EQ(conditions.clock_lease_mhz(), 1'500.0);
    EXPECT_DOUBLE_EQ(conditions.claimed_clock_mhz(), 1'500.0);
    mhz = 750.0;
    const std::string disturbed = measure();
    EXPECT_DOUBLE_EQ(conditions.clock_mhz(), 750.0);
    EXPECT_DOUBLE_EQ(conditions.clock_lease_mhz(), 1'500.0);
    const auto says = HasSubstr("throttled though cpufreq says not");
    if (shares_agent_host) {
      EXPECT_EQ(disturbed, "");
      EXPECT_THAT(conditions.notes(), Contains(says));
    } else {
      EXPECT_THAT(disturbed, says);
      EXPECT_THAT(conditions.notes(), Not(Contains(says)));
    }
  }
}

}  // namespace
}  // namespace bitpilot

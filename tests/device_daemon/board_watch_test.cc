// Gate, canary and watch on a fake board: files that a test writes, time that a test lets pass.
#include "device_daemon/measurement/board_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <string>

#include "device_daemon/measurement/board_baseline.h"
#include "tests/device_daemon/fake_sysfs.h"
#include "tests/device_daemon/simulated_clock.h"

namespace bitpilot {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr char kZone[] = "sys/class/thermal/thermal_zone0/temp";
constexpr char kThrottleFile[] = "sys/devices/platform/soc/soc:firmware/get_throttled";

class BoardWatchTest : public testing::Test {
 protected:
  BoardWatchTest() {
    board_.Write("sys/class/thermal/thermal_zone0/type", "cpu-thermal");
    SetCelsius(45);
    SetBusySeconds(1000);
  }

  void SetCelsius(int celsius) { board_.Write(kZone, std::to_string(celsius * 1000)); }
  // CPU time that the whole system used since it started, half of it on either of two CPUs.
  void SetBusySeconds(double seconds) {
    const double ticks = seconds * static_cast<double>(sysconf(_SC_CLK_TCK));
    board_.Write("proc/stat",
                 "cpu  " + std::to_string(static_cast<long>(ticks)) + " 0 0 900000 70 0 0 0 0 0");
  }
  BoardWatchOptions Options(bool shares_agent_host) {
    BoardWatchOptions options;
    options.root = board_.root();
    options.shares_agent_host = shares_agent_host;
    options.pause = [this] {
      clock_.Pass(0, 1e9);
      on_pause_();
    };
    options.canary = [this] {
      const bool slow = slow_canaries_ > 0;
      if (slow) --slow_canaries_;
      clock_.Pass(slow ? 2.0 * canary_ns_ : canary_ns_);
    };
    return options;
  }
  // A measurement of `seconds`, all of it on the CPU, with `other_s` used by other processes.
  std::string Measure(BoardWatch& watch, double seconds, double other_s) {
    conditions_.Clear();
    EXPECT_EQ(watch
                  .Begin(
                      clock_, [] {}, conditions_)
                  .status,
              v1::OK);
    clock_.Pass(seconds * 1e9);
    SetBusySeconds(busy_s_ += seconds + other_s);
    return watch.End(clock_, conditions_);
  }

  FakeSysfs board_;
  SimulatedClock clock_;
  std::function<void()> on_pause_ = [] {};
  double canary_ns_ = 100'000;
  int slow_canaries_ = 0;
  double busy_s_ = 1000;
  v1::Conditions conditions_;
};

TEST_F(BoardWatchTest, RecordsWhatTheBoardIsLike) {
  for (const char* cpu : {"cpu0", "cpu1"}) {
    const std::string folder = "sys/devices/system/cpu/" + std::string(cpu) + "/cpufreq/";
    board_.Write(folder + "scaling_cur_freq", cpu[3] == '0' ? "1500000" : "1800000");
    board_.Write(folder + "scaling_min_freq", "600000");
    board_.Write(folder + "scaling_max_freq", "1800000");
    board_.Write(folder + "scaling_governor", "ondemand");
  }
  board_.Write(kThrottleFile, "0x50000");
  BoardWatch watch(Options(true));
  EXPECT_EQ(Measure(watch, 1.0, 0.0), "");
  EXPECT_EQ(conditions_.governor(), "ondemand");
  EXPECT_EQ(conditions_.frequency_min_khz(), 1'500'000U);
  EXPECT_EQ(conditions_.frequency_max_khz(), 1'800'000U);
  EXPECT_DOUBLE_EQ(conditions_.temperature_start_celsius(), 45.0);
  EXPECT_DOUBLE_EQ(conditions_.temperature_end_celsius(), 45.0);
  EXPECT_EQ(conditions_.throttle_bits(), 0x50000U);
  EXPECT_DOUBLE_EQ(conditions_.canary_lease_ns(), 100'000.0);
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 0.0);
  EXPECT_THAT(conditions_.notes(), Contains(HasSubstr("governor ondemand")));
}

// The CPU that measures slows down in mid-measurement and recovers; the other one is elsewhere.
TEST_F(BoardWatchTest, SeesAFrequencyThatChangesAndComesBack) {
  const auto run_at = [&](const char* cpu, int mhz) {
    const std::string folder = "sys/devices/system/cpu/" + std::string(cpu) + "/cpufreq/";
    board_.Write(folder + "scaling_cur_freq", std::to_string(mhz * 1000));
    board_.Write(folder + "scaling_governor", "performance");
  };
  for (const bool shares_agent_host : {false, true}) {
    run_at("cpu0", 600);
    run_at("cpu1", 1800);
    BoardWatchOptions options = Options(shares_agent_host);
    options.cpu = 1;
    BoardWatch watch(std::move(options));
    conditions_.Clear();
    watch.Begin(
        clock_, [] {}, conditions_);
    watch.Look(clock_);
    run_at("cpu1", 900);
    watch.Look(clock_);
    run_at("cpu1", 1800);
    const std::string disturbance = watch.End(clock_, conditions_);
    EXPECT_EQ(conditions_.frequency_min_khz(), 900'000U);
    EXPECT_EQ(conditions_.frequency_max_khz(), 1'800'000U);
    if (shares_agent_host) {
      EXPECT_EQ(disturbance, "");
      EXPECT_THAT(conditions_.notes(), Contains(HasSubstr("900 to 1800 MHz")));
    } else {
      EXPECT_THAT(disturbance,
                  HasSubstr("frequency changed while it was measured: 900 to 1800 MHz"));
    }
  }
}

// On a chip of two kinds the first CPU's governor is another cluster's.
TEST_F(BoardWatchTest, RecordsTheMeasuredCoreAndItsGovernor) {
  for (const int cpu : {0, 4}) {
    const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/";
    board_.Write(folder + "scaling_cur_freq", cpu == 0 ? "600000" : "2400000");
    board_.Write(folder + "scaling_governor", cpu == 0 ? "powersave" : "performance");
  }
  BoardWatchOptions options = Options(true);
  options.cpu = 4;
  BoardWatch watch(std::move(options));
  EXPECT_EQ(Measure(watch, 1.0, 0.0), "");
  EXPECT_EQ(conditions_.cpu(), 4U);
  EXPECT_EQ(conditions_.governor(), "performance");
  EXPECT_EQ(conditions_.frequency_min_khz(), 2'400'000U);
  EXPECT_EQ(conditions_.notes_size(), 0);
}

TEST_F(BoardWatchTest, LeavesOutWhatTheSystemDoesNotTell) {
  const FakeSysfs nothing;
  BoardWatchOptions options = Options(false);
  options.root = nothing.root();
  BoardWatch watch(std::move(options));
  EXPECT_EQ(Measure(watch, 1.0, 1.0), "");
  EXPECT_FALSE(conditions_.has_temperature_start_celsius());
  EXPECT_FALSE(conditions_.has_frequency_max_khz());
  EXPECT_FALSE(conditions_.has_throttle_bits());
  EXPECT_FALSE(conditions_.has_other_load());
  EXPECT_EQ(conditions_.governor(), "");
  EXPECT_TRUE(conditions_.has_canary_ns());
}

TEST_F(BoardWatchTest, WaitsUntilTheBoardIsCool) {
  BoardWatch watch(Options(false));
  SetCelsius(75);
  int pauses = 0;
  on_pause_ = [&] {
    if (++pauses == 3) SetCelsius(59);
  };
  int ticks = 0;
  const GateVerdict verdict = watch.Begin(
      clock_, [&] { ++ticks; }, conditions_);
  EXPECT_EQ(verdict.status, v1::OK);
  EXPECT_EQ(ticks, 3);
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 3'000.0);
}

TEST_F(BoardWatchTest, RefusesABoardThatStaysHot) {
  BoardWatch watch(Options(false));
  SetCelsius(75);
  const GateVerdict verdict = watch.Begin(
      clock_, [] {}, conditions_);
  EXPECT_EQ(verdict.status, v1::THERMAL_ABORT);
  EXPECT_EQ(verdict.detail,
            "the board has 75.0 C, measuring is allowed to 60.0 C; cool it; waited 120 s in vain");
  EXPECT_FALSE(conditions_.has_canary_ns());
}

// Training heats the machine, and would do so for hours.
TEST_F(BoardWatchTest, DoesNotWaitForAMachineThatTrainsToCool) {
  BoardWatch watch(Options(true));
  SetCelsius(95);
  const GateVerdict verdict = watch.Begin(
      clock_, [] {}, conditions_);
  EXPECT_EQ(verdict.status, v1::OK);
  EXPECT_EQ(verdict.pauses, 0);
  board_.Write(kThrottleFile, "0x4");
  EXPECT_EQ(watch
                .Begin(
                    clock_, [] {}, conditions_)
                .status,
            v1::THERMAL_ABORT)
      << "what the firmware limits is slow all the same";
}

// A board in a warm room idles at 58 C: it may measure up to 66 C.
TEST_F(BoardWatchTest, AllowsABoardWhatItHasWhenItIdles) {
  SetCelsius(58);
  BoardWatch watch(Options(false));
  SetCelsius(65);
  EXPECT_EQ(watch
                .Begin(
                    clock_, [] {}, conditions_)
                .status,
            v1::OK);
  SetCelsius(67);
  EXPECT_EQ(watch
                .Begin(
                    clock_, [] {}, conditions_)
                .status,
            v1::THERMAL_ABORT);
}

// The only zone is a power chip's constant: it may neither bar the board nor let it be any heat.
TEST_F(BoardWatchTest, DoesNotLetAConstantSetTheGate) {
  board_.Write("sys/class/thermal/thermal_zone0/type", "PMIC-Die");
  SetCelsius(100);
  board_.Write("sys/class/thermal/thermal_zone1/type", "board");
  board_.Write("sys/class/thermal/thermal_zone1/temp", "40000");
  BoardWatch watch(Options(false));
  const auto begin = [&] {
    conditions_.Clear();
    return watch.Begin(
        clock_, [] {}, conditions_);
  };
  EXPECT_EQ(begin().status, v1::OK);
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 5'000.0);
  EXPECT_DOUBLE_EQ(conditions_.temperature_start_celsius(), 40.0);
  EXPECT_THAT(conditions_.ignored_zones(),
              testing::ElementsAre(HasSubstr("PMIC-Die (100.0 C): it says the same")));
  board_.Write("sys/class/thermal/thermal_zone1/temp", "61000");
  EXPECT_THAT(begin().detail, HasSubstr("the board has 61.0 C, measuring is allowed to 60.0 C"));
}

TEST_F(BoardWatchTest, RecordsTheZonesThatAreNotTheCpus) {
  board_.Write("sys/class/thermal/thermal_zone1/type", "battery");
  board_.Write("sys/class/thermal/thermal_zone1/temp", "90000");
  BoardWatch watch(Options(false));
  EXPECT_EQ(Measure(watch, 1.0, 0.0), "");
  EXPECT_DOUBLE_EQ(conditions_.temperature_start_celsius(), 45.0);
  EXPECT_DOUBLE_EQ(conditions_.temperature_end_celsius(), 45.0);
  EXPECT_THAT(conditions_.ignored_zones(),
              testing::ElementsAre("battery (90.0 C): it is not the CPU's"));
}

// A worker was ended on a board that has become hot and slow, and another one begins there.
TEST_F(BoardWatchTest, ANewWorkerDoesNotTakeAHotAndSlowBoardForNormal) {
  v1::BoardBaseline kept;
  const auto options = [&] {
    BoardWatchOptions all = Options(false);
    all.on_baseline = [&](const v1::BoardBaseline& baseline) { kept = baseline; };
    return all;
  };
  BoardWatch first(options());
  Measure(first, 1.0, 0.0);
  EXPECT_DOUBLE_EQ(kept.idle_celsius(), 45.0);
  EXPECT_DOUBLE_EQ(kept.canary_ns(), 100'000.0);
  SetCelsius(80);
  canary_ns_ = 130'000;
  BoardWatch second(options());
  second.Learn(kept);
  EXPECT_THAT(second
                  .Begin(
                      clock_, [] {}, conditions_)
                  .detail,
              HasSubstr("the board has 80.0 C, measuring is allowed to 60.0 C"));
  SetCelsius(58);
  EXPECT_THAT(Measure(second, 1.0, 0.0),
              HasSubstr("the CPU is 30.0 % slower than at its best since the board booted: the "
                        "canary took 100.0 us, now 130.0 us (if it never was so fast, stop the "
                        "daemon and delete board_baseline in its store)"));
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 10'000.0) << "it might have recovered";
  EXPECT_DOUBLE_EQ(kept.idle_celsius(), 45.0);
  EXPECT_DOUBLE_EQ(kept.canary_ns(), 100'000.0);
  canary_ns_ = 101'000;
  clock_.Pass(0, 31e9);
  EXPECT_EQ(Measure(second, 1.0, 0.0), "");
}

TEST_F(BoardWatchTest, ANewLeaseWaitsForABoardThatIsSlow) {
  BoardWatch watch(Options(false));
  watch.set_lease_epoch(7);
  Measure(watch, 1.0, 0.0);
  watch.set_lease_epoch(8);
  canary_ns_ = 120'000;
  int pauses = 0;
  on_pause_ = [&] {
    if (++pauses == 3) canary_ns_ = 101'000;
  };
  EXPECT_EQ(Measure(watch, 1.0, 0.0), "");
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 3'000.0);
  EXPECT_DOUBLE_EQ(conditions_.canary_lease_ns(), 101'000.0) << "not when it was slow";
}

TEST_F(BoardWatchTest, TellsOfABestThatIsWorthIt) {
  int told = 0;
  BoardWatchOptions options = Options(false);
  options.on_baseline = [&](const v1::BoardBaseline&) { ++told; };
  BoardWatch watch(std::move(options));
  Measure(watch, 1.0, 0.0);
  EXPECT_EQ(told, 1);
  Measure(watch, 1.0, 0.0);
  EXPECT_EQ(told, 1) << "nothing new";
  SetCelsius(44);
  Measure(watch, 1.0, 0.0);
  EXPECT_EQ(told, 2);
  clock_.Pass(0, 31e9);
  canary_ns_ = 99'000;
  Measure(watch, 1.0, 0.0);
  EXPECT_EQ(told, 3);
}

TEST(BoardBaselineTest, RefusesWhatNoBoardIs) {
  const auto check = [](auto change) {
    v1::BoardBaseline baseline;
    baseline.set_idle_celsius(40.0);
    baseline.set_canary_ns(1e5);
    baseline.set_canary_scatter(0.002);
    change(baseline);
    return CheckBaseline(baseline).code();
  };
  const double nan = std::nan("");
  EXPECT_EQ(check([](auto&) {}), StatusCode::kOk);
  EXPECT_EQ(check([](auto& one) { one.Clear(); }), StatusCode::kOk);
  EXPECT_EQ(check([&](auto& one) { one.set_idle_celsius(nan); }), StatusCode::kDataCorrupt);
  EXPECT_EQ(check([](auto& one) { one.set_idle_celsius(-273.0); }), StatusCode::kDataCorrupt);
  EXPECT_EQ(check([&](auto& one) { one.set_canary_ns(nan); }), StatusCode::kDataCorrupt);
  EXPECT_EQ(check([](auto& one) { one.set_canary_ns(1e-9); }), StatusCode::kDataCorrupt);
  EXPECT_EQ(check([](auto& one) { one.set_canary_scatter(1.0); }), StatusCode::kDataCorrupt);
  EXPECT_EQ(check([](auto& one) { one.clear_canary_scatter(); }), StatusCode::kDataCorrupt);
  EXPECT_EQ(check([](auto& one) { one.clear_canary_ns(); }), StatusCode::kDataCorrupt);
}

TEST_F(BoardWatchTest, RefusesUnderVoltageAndThrottlingThatLast) {
  BoardWatch watch(Options(false));
  board_.Write(kThrottleFile, "0x1");
  EXPECT_EQ(watch
                .Begin(
                    clock_, [] {}, conditions_)
                .status,
            v1::POWER_ABORT);
  for (const char* limited : {"0x2", "0x4", "0x8"}) {
    board_.Write(kThrottleFile, limited);
    EXPECT_EQ(watch
                  .Begin(
                      clock_, [] {}, conditions_)
                  .status,
              v1::THERMAL_ABORT)
        << limited;
  }
  board_.Write(kThrottleFile, "0xf0000");  // all of them since boot, none now
  EXPECT_EQ(watch
                .Begin(
                    clock_, [] {}, conditions_)
                .status,
            v1::OK);
}

TEST_F(BoardWatchTest, TimesTheCanaryOncePerLeaseAndEveryThirtySeconds) {
  BoardWatch watch(Options(true));
  watch.set_lease_epoch(7);
  Measure(watch, 1.0, 0.0);
  canary_ns_ = 120'000;
  Measure(watch, 1.0, 0.0);
  EXPECT_DOUBLE_EQ(conditions_.canary_ns(), 100'000.0) << "2 s after the last look";
  EXPECT_EQ(Measure(watch, 31.0, 0.0), "") << "on the machine that trains the windows decide";
  EXPECT_DOUBLE_EQ(conditions_.canary_lease_ns(), 100'000.0);
  EXPECT_DOUBLE_EQ(conditions_.canary_ns(), 120'000.0);
  EXPECT_THAT(conditions_.notes(), Contains("the CPU is 20.0 % slower than when the lease began: "
                                            "the canary took 100.0 us, now 120.0 us"));
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 0.0);
  watch.set_lease_epoch(8);
  Measure(watch, 1.0, 0.0);
  EXPECT_DOUBLE_EQ(conditions_.canary_lease_ns(), 120'000.0);
  EXPECT_EQ(conditions_.notes_size(), 0);
}

// A long measurement: the canary is timed between its rounds, too.
TEST_F(BoardWatchTest, SeesABoardThatChangesItsSpeedInMidMeasurementAndRecovers) {
  BoardWatch watch(Options(false));
  watch.Begin(
      clock_, [] {}, conditions_);
  canary_ns_ = 150'000;
  clock_.Pass(31e9);
  watch.Look(clock_);
  canary_ns_ = 100'000;
  clock_.Pass(1e9);
  SetBusySeconds(busy_s_ + 33);
  EXPECT_THAT(watch.End(clock_, conditions_),
              HasSubstr("changed its speed: the CPU is 50.0 % slower than when the lease began: "
                        "the canary took 100.0 us, now 150.0 us"));
  EXPECT_DOUBLE_EQ(conditions_.canary_ns(), 150'000.0) << "timed 1 s ago, so not again";
}

TEST_F(BoardWatchTest, WaitsForABoardThatBecameSlower) {
  BoardWatch watch(Options(false));
  Measure(watch, 1.0, 0.0);
  clock_.Pass(0, 31e9);
  canary_ns_ = 104'000;
  int pauses = 0;
  on_pause_ = [&] {
    if (++pauses == 4) canary_ns_ = 101'000;
  };
  EXPECT_EQ(Measure(watch, 1.0, 0.0), "");
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 4'000.0);
  EXPECT_DOUBLE_EQ(conditions_.canary_ns(), 101'000.0);
}

TEST_F(BoardWatchTest, MeasuresABoardThatStaysSlowerAndSaysSoEveryTime) {
  BoardWatch watch(Options(false));
  Measure(watch, 1.0, 0.0);
  clock_.Pass(0, 31e9);
  canary_ns_ = 110'000;
  EXPECT_THAT(Measure(watch, 1.0, 0.0), HasSubstr("10.0 % slower than when the lease began"));
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 10'000.0);
  EXPECT_THAT(Measure(watch, 1.0, 0.0), HasSubstr("10.0 % slower than when the lease began"));
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 0.0) << "waiting was in vain";
  canary_ns_ = 100'000;
  EXPECT_EQ(Measure(watch, 1.0, 0.0), "");
}

// A lease that began on a hot board: waiting does not make it slow again.
TEST_F(BoardWatchTest, SaysSoOfABoardThatBecameFaster) {
  BoardWatch watch(Options(false));
  Measure(watch, 1.0, 0.0);
  clock_.Pass(0, 31e9);
  canary_ns_ = 90'000;
  EXPECT_THAT(Measure(watch, 1.0, 0.0), HasSubstr("10.0 % faster than when the lease began"));
  EXPECT_DOUBLE_EQ(conditions_.gate_wait_ms(), 0.0);
}

TEST_F(BoardWatchTest, ForgivesACanaryThatWasDisturbedItself) {
  BoardWatch watch(Options(false));
  Measure(watch, 1.0, 0.0);
  clock_.Pass(0, 31e9);
  slow_canaries_ = 70;  // inferences: most of one look
  EXPECT_EQ(Measure(watch, 1.0, 0.0), "");
  EXPECT_DOUBLE_EQ(conditions_.canary_ns(), 100'000.0);
  EXPECT_EQ(slow_canaries_, 0);
}

// Samples of the first look scatter by 1.5 %: its canary cannot show 5 %.
TEST_F(BoardWatchTest, AsksNoMoreOfTheCanaryThanItsScatterAllows) {
  double inferences = 0;
  BoardWatchOptions options = Options(false);
  options.canary = [&] { clock_.Pass(canary_ns_ * (1.0 + 5e-4 * ++inferences)); };
  BoardWatch scattering(std::move(options));
  Measure(scattering, 1.0, 0.0);
  clock_.Pass(0, 31e9);
  inferences = 0;
  canary_ns_ = 105'000;
  EXPECT_EQ(Measure(scattering, 1.0, 0.0), "");
  clock_.Pass(0, 31e9);
  inferences = 0;
  canary_ns_ = 115'000;
  EXPECT_NE(Measure(scattering, 1.0, 0.0), "");
}

TEST_F(BoardWatchTest, JudgesOtherLoadOnABoardOfItsOwn) {
  BoardWatch watch(Options(false));
  EXPECT_THAT(Measure(watch, 2.0, 1.02), HasSubstr("other processes used 0.50 CPUs meanwhile"));
  EXPECT_NEAR(conditions_.other_load(), 0.5, 0.01);
  EXPECT_EQ(Measure(watch, 2.0, 0.05), "");
}

TEST_F(BoardWatchTest, OnlyNotesOtherLoadOnTheAgentsMachine) {
  BoardWatch watch(Options(true));
  EXPECT_EQ(Measure(watch, 2.0, 1.02), "");
  EXPECT_THAT(conditions_.notes(), Contains(HasSubstr("shares the agent's machine")));
}

TEST_F(BoardWatchTest, IsWarmForAMomentAfterAMeasurement) {
  BoardWatch watch(Options(false));
  EXPECT_FALSE(watch.is_warm(clock_));
  Measure(watch, 1.0, 0.0);
  EXPECT_TRUE(watch.is_warm(clock_));
  clock_.Pass(0, 6e9);
  EXPECT_FALSE(watch.is_warm(clock_));
}

}  // namespace
}  // namespace bitpilot

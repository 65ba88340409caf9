#include "device_daemon/measurement/disturbance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitpilot {
namespace {

// STANDARD windows of 100 us each, on the CPU all the time unless a test says otherwise.
WindowSeries SeriesOf(const std::vector<double>& wall_ns) {
  return {1'000, true, wall_ns, wall_ns, std::vector<int>(wall_ns.size(), 0)};
}

std::string Judge(const WindowSeries& series) {
  return FindDisturbance(series, PlanFor(v1::MeasureSpec::STANDARD));
}

const std::vector<double> kQuiet{100, 101, 100, 100, 101, 100, 101, 100, 100};

TEST(WithoutCommonDriftTest, LeavesWhatOneNetworkDoesAlone) {
  // The machine slows by 10 % and 20 %: common. The second network slows by 10 % more at the end.
  const WindowSeries first = SeriesOf({100, 110, 120, 100, 110, 120});
  const WindowSeries second = SeriesOf({200, 220, 240, 220, 242, 264});
  const std::vector<WindowSeries> judged = WithoutCommonDrift({first, second});
  const std::vector<double>& alone = judged[1].wall_ns;
  EXPECT_NEAR(alone[1] / alone[0], 1.0, 1e-12);
  EXPECT_NEAR(alone[2] / alone[0], 1.0, 1e-12);
  for (int round = 3; round < 6; ++round) EXPECT_NEAR(alone[round] / alone[0], 1.1, 1e-12);
  EXPECT_EQ(judged[1].cpu_ns, judged[1].wall_ns);
}

TEST(WithoutCommonDriftTest, ForgivesADriftThatAllShare) {
  const WindowSeries first = SeriesOf({100, 100, 100, 105, 105, 105, 110, 110, 110});
  const WindowSeries second = SeriesOf({50, 50, 50, 52.5, 52.5, 52.5, 55, 55, 55});
  EXPECT_NE(Judge(first), "");
  for (const WindowSeries& judged : WithoutCommonDrift({first, second})) {
    EXPECT_EQ(Judge(judged), "");
  }
}

TEST(WithoutCommonDriftTest, KeepsASingleSeriesAsItIs) {
  const WindowSeries alone{1, true, {100, 120, 140}, {100, 100, 100}, {0, 0, 0}};
  const std::vector<WindowSeries> judged = WithoutCommonDrift({alone});
  EXPECT_EQ(judged.front().wall_ns, alone.wall_ns);
  EXPECT_EQ(judged.front().cpu_ns, alone.cpu_ns);
}

TEST(FindDisturbanceTest, FindsNothingInAQuietRun) { EXPECT_EQ(Judge(SeriesOf(kQuiet)), ""); }

TEST(FindDisturbanceTest, NamesOtherWorkOnTheCpu) {
  WindowSeries series = SeriesOf(kQuiet);
  for (double& cpu_ns : series.cpu_ns) cpu_ns /= 1.05;
  series.switches[2] = 7;
  EXPECT_EQ(Judge(series),
            "other work on the CPU: wall time is 5.0 % above CPU time in the median window; 7 "
            "involuntary context switches");
}

TEST(FindDisturbanceTest, ForgivesOneInterruptedWindow) {
  WindowSeries series = SeriesOf(kQuiet);
  series.wall_ns[4] = 500.0;
  EXPECT_EQ(Judge(series), "");
}

TEST(FindDisturbanceTest, NamesDrift) {
  EXPECT_THAT(Judge(SeriesOf({100, 101, 102, 103, 104, 105, 106, 107, 108})),
              testing::AllOf(testing::StartsWith("latency drifted by 7.7 %"),
                             testing::HasSubstr("CPU time changed alike")));
}

TEST(FindDisturbanceTest, NamesAStepAndWhere) {
  EXPECT_THAT(Judge(SeriesOf({100, 101, 100, 100, 106, 107, 106, 107, 106})),
              testing::StartsWith("latency stepped by 5.7 % after window 4 of 9"));
}

TEST(FindDisturbanceTest, NamesTwoSpeeds) {
  EXPECT_THAT(Judge(SeriesOf({100, 115, 100, 100, 115, 100, 100, 115, 100})),
              testing::StartsWith("two speeds: 3 of 9 windows took 15.0 % more"));
}

TEST(FindDisturbanceTest, NamesScatter) {
  EXPECT_THAT(Judge(SeriesOf({100, 121, 103, 124, 106, 127, 109, 130, 112})),
              testing::StartsWith("windows scatter: the interval is +-"));
}

TEST(FindDisturbanceTest, SaysWhenItWasOtherWorkThatTookTheCpu) {
  WindowSeries series = SeriesOf(kQuiet);
  series.wall_ns[1] = series.wall_ns[6] = 120.0;
  series.switches[1] = series.switches[6] = 2;
  EXPECT_THAT(
      Judge(series),
      testing::AllOf(testing::StartsWith("two speeds: 2 of 9"),
                     testing::HasSubstr("CPU time did not change, so other work took the "
                                        "CPU: in 2 windows, at most 18.8 %; 4 involuntary")));
}

TEST(FindDisturbanceTest, SaysWhenTheWarmUpWasNeverSteady) {
  WindowSeries series = SeriesOf({100, 101, 102, 103, 104, 105, 106, 107, 108});
  series.steady_after_warmup = false;
  EXPECT_THAT(Judge(series), testing::HasSubstr("never steady in the warm-up"));
}

// The first network is interrupted in two rounds: the ratios of both networks show it, and neither
// blames its CPU.
TEST(FindDisturbanceTest, BlamesNoCpuForWhatInterruptedTheOtherNetwork) {
  WindowSeries interrupted = SeriesOf(kQuiet);
  interrupted.wall_ns[3] = interrupted.wall_ns[5] = 130.0;
  for (const WindowSeries& judged : WithoutCommonDrift({interrupted, SeriesOf(kQuiet)})) {
    EXPECT_THAT(Judge(judged), testing::HasSubstr("other work took the CPU: in 2 windows"));
  }
}

// AUDIT rounds in which one of two networks takes up to 8 % longer, in no order.
std::vector<WindowSeries> ScatteredRounds() {
  std::vector<double> times;
  for (int round = 0; round < 40; ++round) times.push_back(100.0 + round * 7 % 40 * 0.2);
  return {SeriesOf(times), SeriesOf(std::vector<double>(40, 100.0))};
}

TEST(FindDisturbancesTest, NamesARatioThatStaysVague) {
  const std::vector<WindowSeries> series = ScatteredRounds();
  const SamplerPlan audit = PlanFor(v1::MeasureSpec::AUDIT);
  EXPECT_EQ(FindDisturbance(series[0], audit), "");
  const std::vector<std::string> found = FindDisturbances(series, audit);
  ASSERT_EQ(found.size(), 2U);
  for (const std::string& one : found) {
    EXPECT_EQ(one,
              "rounds scatter: the interval of the ratio is +-1.3 % wide after 40 rounds, more "
              "than +-1.0 %; CPU times differ, so the CPU itself did: its frequency, its caches or "
              "a neighbour on the host; 0 involuntary context switches");
  }
}

TEST(FindDisturbancesTest, AsksLessOfAScreenThanOfAnAudit) {
  for (const std::string& one :
       FindDisturbances(ScatteredRounds(), PlanFor(v1::MeasureSpec::SCREEN))) {
    EXPECT_EQ(one, "");
  }
}

TEST(FindDisturbancesTest, JudgesOneNetworkAloneByItsLatency) {
  const std::vector<WindowSeries> alone = {ScatteredRounds().front()};
  EXPECT_EQ(FindDisturbances(alone, PlanFor(v1::MeasureSpec::AUDIT)), std::vector<std::string>{""});
}

}  // namespace
}  // namespace bitpilot

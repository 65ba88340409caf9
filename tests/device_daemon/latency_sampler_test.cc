#include "device_daemon/latency_sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

// A machine whose time passes only while workloads run.
class SimulatedClock final : public MeasureClock {
 public:
  explicit SimulatedClock(std::int64_t resolution_ns = 1) : resolution_ns_(resolution_ns) {}

  std::int64_t WallNs() override { return wall_ns_ / resolution_ns_ * resolution_ns_; }
  std::int64_t ThreadCpuNs() override { return cpu_ns_; }
  void Pass(double cpu_ns, double stolen_ns = 0.0) {
    cpu_ns_ += std::llround(cpu_ns);
    wall_ns_ += std::llround(cpu_ns + stolen_ns);
  }
  double seconds() const { return static_cast<double>(wall_ns_) * 1e-9; }

 private:
  std::int64_t resolution_ns_;
  std::int64_t wall_ns_ = 0;
  std::int64_t cpu_ns_ = 0;
};

using Workloads = std::vector<std::function<void()>>;

const ProgressFunction kIgnoreProgress = [](std::string_view, int) {};

Result<std::vector<WindowSeries>> Sample(const Workloads& workloads, v1::MeasureSpec::Tier tier,
                                         MeasureClock& clock) {
  return SampleLatency(workloads, PlanFor(tier), clock, kIgnoreProgress);
}

TEST(LatencySamplerTest, MeasuresAQuietMachineExactly) {
  SimulatedClock clock;
  const auto series = Sample({[&] { clock.Pass(100'000); }}, v1::MeasureSpec::SCREEN, clock);
  ASSERT_TRUE(series.ok());
  const WindowSeries& one = series->front();
  EXPECT_EQ(one.inferences_per_window, 250);  // 25 ms / 100 us
  EXPECT_EQ(one.wall_ns, std::vector<double>(9, 100'000.0));
  EXPECT_EQ(one.cpu_ns, one.wall_ns);
  EXPECT_TRUE(one.steady_after_warmup);
  EXPECT_EQ(FindDisturbance(one, PlanFor(v1::MeasureSpec::SCREEN)), "");
}

TEST(LatencySamplerTest, ScreensASmallNetworkInLessThanFourTenthsOfASecond) {
  SimulatedClock clock;
  ASSERT_TRUE(Sample({[&] { clock.Pass(60'000); }}, v1::MeasureSpec::SCREEN, clock).ok());
  EXPECT_LT(clock.seconds(), 0.4);
}

TEST(LatencySamplerTest, TimesAtLeastOneInferenceAWindowHoweverSlow) {
  SimulatedClock clock;
  const auto series = Sample({[&] { clock.Pass(3e9); }}, v1::MeasureSpec::SCREEN, clock);
  ASSERT_TRUE(series.ok());
  EXPECT_EQ(series->front().inferences_per_window, 1);
  EXPECT_EQ(series->front().wall_ns.size(), 9U);
}

// One microsecond of resolution and a 30 ns inference: single runs would read 0 or 1,000 ns.
TEST(LatencySamplerTest, AveragesOverACoarseClock) {
  SimulatedClock clock(1'000);
  const auto series = Sample({[&] { clock.Pass(30); }}, v1::MeasureSpec::SCREEN, clock);
  ASSERT_TRUE(series.ok());
  EXPECT_NEAR(Median(series->front().wall_ns), 30.0, 0.01);
}

TEST(LatencySamplerTest, GivesUpOnAClockThatStandsStill) {
  SimulatedClock clock;
  EXPECT_EQ(Sample({[] {}}, v1::MeasureSpec::SCREEN, clock).status().code(),
            StatusCode::kUnsupported);
}

TEST(LatencySamplerTest, StopsAtTheFirstCheckpointThatIsNarrowEnough) {
  SimulatedClock clock;
  const auto series = Sample({[&] { clock.Pass(100'000); }}, v1::MeasureSpec::STANDARD, clock);
  ASSERT_TRUE(series.ok());
  EXPECT_EQ(series->front().wall_ns.size(), 9U);
}

// Windows of +-20 % never reach +-1 %: the plan's last checkpoint ends it.
TEST(LatencySamplerTest, StopsAtTheLastCheckpointWhenNoiseStays) {
  SimulatedClock clock;
  std::mt19937 random(5);
  int calls = 0;
  double inference_ns = 1e6;
  const auto series = Sample({[&] {
                               if (calls++ % 100 == 0) {
                                 inference_ns = 1e6 * (0.8 + 0.4 * (random() % 1000) / 1000.0);
                               }
                               clock.Pass(inference_ns);
                             }},
                             v1::MeasureSpec::STANDARD, clock);
  ASSERT_TRUE(series.ok());
  EXPECT_EQ(series->front().wall_ns.size(), 21U);
}

// The clock slows down linearly; round by round the order alternates, so equal workloads stay
// equal.
TEST(LatencySamplerTest, InterleavesSoThatASlowMachineHitsAllAlike) {
  SimulatedClock clock;
  const auto slow = [&] { clock.Pass(100'000.0 * (1.0 + 0.02 * clock.seconds())); };
  const auto series = Sample({slow, slow}, v1::MeasureSpec::AUDIT, clock);
  ASSERT_TRUE(series.ok());
  const double first = Median((*series)[0].wall_ns);
  const double second = Median((*series)[1].wall_ns);
  EXPECT_NEAR(second / first, 1.0, 0.001);
  EXPECT_GT(Drift((*series)[0].wall_ns), 0.02);
}

TEST(LatencySamplerTest, AlternatesTheOrderOfRounds) {
  SimulatedClock clock;
  std::string timed;  // One letter a change of workload.
  const auto named = [&](char name) {
    return [&timed, &clock, name] {
      if (timed.empty() || timed.back() != name) timed += name;
      clock.Pass(1e6);
    };
  };
  ASSERT_TRUE(Sample({named('a'), named('b')}, v1::MeasureSpec::SCREEN, clock).ok());
  // Warm-up a, b; then nine rounds ab, ba, ab, ...: where the order turns, neighbours merge into
  // one letter.
  EXPECT_EQ(timed, "abababababab");
}

TEST(WithoutCommonDriftTest, LeavesWhatOneNetworkDoesAlone) {
  // The machine slows by 10 % and 20 %: common. The second network slows by 10 % more at the end.
  WindowSeries first{1, true, {100, 110, 120, 100, 110, 120}, {}};
  WindowSeries second{1, true, {200, 220, 240, 220, 242, 264}, {}};
  first.cpu_ns = first.wall_ns;
  second.cpu_ns = second.wall_ns;
  const std::vector<WindowSeries> judged = WithoutCommonDrift({first, second});
  const std::vector<double>& alone = judged[1].wall_ns;
  EXPECT_NEAR(alone[1] / alone[0], 1.0, 1e-12);
  EXPECT_NEAR(alone[2] / alone[0], 1.0, 1e-12);
  for (int round = 3; round < 6; ++round) EXPECT_NEAR(alone[round] / alone[0], 1.1, 1e-12);
  EXPECT_EQ(judged[1].cpu_ns, judged[1].wall_ns);
}

TEST(WithoutCommonDriftTest, ForgivesADriftThatAllShare) {
  WindowSeries first{1, true, {100, 100, 100, 105, 105, 105, 110, 110, 110}, {}};
  WindowSeries second{1, true, {50, 50, 50, 52.5, 52.5, 52.5, 55, 55, 55}, {}};
  first.cpu_ns = first.wall_ns;
  second.cpu_ns = second.wall_ns;
  const SamplerPlan plan = PlanFor(v1::MeasureSpec::STANDARD);
  EXPECT_NE(FindDisturbance(first, plan), "");
  for (const WindowSeries& judged : WithoutCommonDrift({first, second})) {
    EXPECT_EQ(FindDisturbance(judged, plan), "");
  }
}

TEST(WithoutCommonDriftTest, KeepsASingleSeriesAsItIs) {
  const WindowSeries alone{1, true, {100, 120, 140}, {100, 100, 100}};
  const std::vector<WindowSeries> judged = WithoutCommonDrift({alone});
  EXPECT_EQ(judged.front().wall_ns, alone.wall_ns);
  EXPECT_EQ(judged.front().cpu_ns, alone.cpu_ns);
}

TEST(FindDisturbanceTest, NamesOtherWorkOnTheCpu) {
  SimulatedClock clock;
  const auto series = Sample({[&] { clock.Pass(100'000, 5'000); }}, v1::MeasureSpec::SCREEN, clock);
  ASSERT_TRUE(series.ok());
  EXPECT_NE(FindDisturbance(series->front(), PlanFor(v1::MeasureSpec::SCREEN)).find("5.0 % above"),
            std::string::npos);
}

TEST(FindDisturbanceTest, ForgivesOneInterruptedWindow) {
  WindowSeries series{100, true, std::vector<double>(9, 100.0), std::vector<double>(9, 100.0)};
  series.wall_ns[4] = 500.0;
  EXPECT_EQ(FindDisturbance(series, PlanFor(v1::MeasureSpec::SCREEN)), "");
}

TEST(FindDisturbanceTest, NamesDrift) {
  WindowSeries series{100, true, {100, 100, 100, 105, 105, 105, 110, 110, 110}, {}};
  series.cpu_ns = series.wall_ns;
  EXPECT_NE(FindDisturbance(series, PlanFor(v1::MeasureSpec::STANDARD)).find("drifted by 10.0 %"),
            std::string::npos);
}

// Two frequencies, switching at random: the medians of the thirds agree, the interval does not
// narrow.
TEST(FindDisturbanceTest, NamesTwoSpeeds) {
  WindowSeries series{100, true, {100, 150, 100, 150, 100, 150, 150, 100, 100}, {}};
  series.cpu_ns = series.wall_ns;
  EXPECT_NE(FindDisturbance(series, PlanFor(v1::MeasureSpec::SCREEN)).find("scatter"),
            std::string::npos);
}

}  // namespace
}  // namespace bitpilot

#include "device_daemon/measurement/latency_sampler.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "device_daemon/measurement/disturbance.h"
#include "kernels/base/window_statistics.h"
#include "tests/device_daemon/simulated_clock.h"

namespace bitpilot {
namespace {

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

// Other programs take up to 30 % of the wall time: that widens a latency, and no comparison.
TEST(LatencySamplerTest, ComparesLongerOnlyIfTheCpuTimesScatter) {
  SimulatedClock clock;
  std::mt19937 random(6);
  const auto interrupted = [&] { clock.Pass(1e8, 3e7 * (random() % 1000) / 1000.0); };
  const auto alone = Sample({interrupted}, v1::MeasureSpec::STANDARD, clock);
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(alone->front().wall_ns.size(), 21U);
  const auto compared = Sample({interrupted, interrupted}, v1::MeasureSpec::STANDARD, clock);
  ASSERT_TRUE(compared.ok());
  EXPECT_EQ(compared->front().wall_ns.size(), 9U);
}

// The clock slows down linearly; round by round the order alternates, so equal workloads stay
// equal.
TEST(LatencySamplerTest, InterleavesSoThatASlowMachineHitsAllAlike) {
  SimulatedClock clock;
  const auto slow = [&] { clock.Pass(100'000.0 * (1.0 + 0.1 * clock.seconds())); };
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

}  // namespace
}  // namespace bitpilot

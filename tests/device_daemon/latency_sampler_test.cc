#include "device_daemon/measurement/latency_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
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

const ProgressFunction kIgnoreProgress = [](const Progress&) {};

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

struct Heard {
  double at_s;
  Progress progress;
};

// Everything that a slow machine says, in simulated time.
std::vector<Heard> Listen(const std::vector<double>& inference_ns, const SamplerPlan& plan,
                          SimulatedClock& clock) {
  Workloads workloads;
  for (const double ns : inference_ns) workloads.emplace_back([&clock, ns] { clock.Pass(ns); });
  std::vector<Heard> heard;
  const auto result = SampleLatency(workloads, plan, clock, [&](const Progress& now) {
    heard.push_back({clock.seconds(), now});
  });
  EXPECT_TRUE(result.ok());
  return heard;
}

// A round of eleven networks of 0.45 s takes ten seconds: nobody waits for its end.
TEST(LatencySamplerTest, ShowsASignOfLifeAfterEveryWindow) {
  SimulatedClock clock;
  double last_s = 0.0;
  for (const Heard& heard :
       Listen(std::vector<double>(11, 0.45e9), PlanFor(v1::MeasureSpec::AUDIT), clock)) {
    EXPECT_LE(heard.at_s - last_s, 1.0);
    last_s = heard.at_s;
  }
}

TEST(LatencySamplerTest, AnnouncesALongerSilenceThanAnyThatFollows) {
  SimulatedClock clock;
  const std::vector<Heard> heard =
      Listen({0.01e9, 20e9, 3e9}, PlanFor(v1::MeasureSpec::SCREEN), clock);
  double worst = 0.0;
  bool knows_all = false;
  for (std::size_t i = 0; i + 1 < heard.size(); ++i) {
    // Before its first window nothing is known of a network here (measurement.cc knows more).
    knows_all = knows_all || heard[i].progress.windows_done > 0;
    if (!knows_all) continue;
    const double silence_s = static_cast<double>(heard[i].progress.silence_ns) * 1e-9;
    worst = std::max(worst, (heard[i + 1].at_s - heard[i].at_s) / silence_s);
  }
  EXPECT_TRUE(knows_all);
  EXPECT_LT(worst, 0.5);
}

TEST(LatencySamplerTest, ForetellsWhatRemainsFromTheWarmUp) {
  for (const double inference_ns : {60e3, 30e6, 0.45e9}) {
    SCOPED_TRACE(inference_ns);
    SamplerPlan plan = PlanFor(v1::MeasureSpec::AUDIT);
    plan.target_half_width = -1.0;  // to the last checkpoint
    SimulatedClock clock;
    const std::vector<Heard> heard = Listen({inference_ns, inference_ns}, plan, clock);
    for (const Heard& one : heard) {
      const double remaining_s = static_cast<double>(one.progress.remaining_ns) * 1e-9;
      const double left_s = clock.seconds() - one.at_s;
      const double warmup_s = one.progress.windows_done > 0 ? 0.0 : 3.0;
      EXPECT_GE(remaining_s, left_s * 0.99 - 1e-6) << one.progress.phase;
      EXPECT_LE(remaining_s, left_s * 1.1 + warmup_s + 1e-6) << one.progress.phase;
    }
    EXPECT_EQ(heard.back().progress.remaining_ns, 0);
  }
}

TEST(LatencySamplerTest, DoublesWindowsAsOftenAsTheRequestSays) {
  for (const auto tier :
       {v1::MeasureSpec::SCREEN, v1::MeasureSpec::STANDARD, v1::MeasureSpec::AUDIT}) {
    v1::MeasureSpec spec;
    spec.set_tier(tier);
    const std::int64_t once_ns = PlanFor(spec).window_ns;
    EXPECT_EQ(once_ns, PlanFor(tier).window_ns);
    spec.set_window_doublings(2);
    EXPECT_EQ(PlanFor(spec).window_ns, 4 * once_ns);
    EXPECT_EQ(PlanFor(spec).checkpoints, PlanFor(tier).checkpoints);
  }
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

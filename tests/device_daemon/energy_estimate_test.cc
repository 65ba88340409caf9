#include "device_daemon/energy/energy_estimate.h"

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <type_traits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

EnergySourceInfo Meter(std::int64_t period_ns) {
  return {.name = "meter:known",
          .scope = "a formula",
          .sensor = EnergySensor::kMeterExternal,
          .quantity = EnergyQuantity::kPowerW,
          .period_ns = period_ns,
          .relative_accuracy = 0.001,
          .max_power_w = 15.0};
}

// P(t) = 4 + 2 sin(2 pi t / cycle) W.
struct Waveform {
  double cycle_s;
  double PowerAt(double t) const {
    return 4.0 + 2.0 * std::sin(2.0 * std::numbers::pi * t / cycle_s);
  }
  double EnergyUntil(double t) const {
    const double w = 2.0 * std::numbers::pi / cycle_s;
    return 4.0 * t + 2.0 / w * (1.0 - std::cos(w * t));
  }
};

EnergyTrace Sample(const Waveform& waveform, std::int64_t period_ns, std::int64_t length_ns) {
  EnergyTrace trace{Meter(period_ns), {}, 0};
  for (std::int64_t t = 0; t <= length_ns; t += period_ns) {
    trace.samples.push_back({t, waveform.PowerAt(static_cast<double>(t) * 1e-9)});
  }
  return trace;
}

// Removes every `every`-th sample, counted from the `every`-th.
void DropEvery(std::size_t every, EnergyTrace& trace) {
  std::vector<EnergySample> kept;
  for (std::size_t i = 0; i < trace.samples.size(); ++i) {
    if (i % every != every - 1) kept.push_back(trace.samples[i]);
  }
  trace.samples = kept;
}

TEST(IntegrateWindowTest, MeetsTheKnownIntegralOfAWaveform) {
  for (const std::int64_t period_ns : {kMs / 5, kMs, 10 * kMs}) {
    for (const double cycle_s : {0.3, 1.7, 60.0}) {
      const Waveform waveform{cycle_s};
      const EnergyTrace trace = Sample(waveform, period_ns, 4 * kSecond);
      const std::int64_t begin_ns = 333'333'333;
      const std::int64_t end_ns = 2'912'345'678;
      const Result<WindowEnergy> window = IntegrateWindow(trace, begin_ns, end_ns);
      ASSERT_TRUE(window.ok()) << window.status().message();
      const double truth_j = waveform.EnergyUntil(2.912345678) - waveform.EnergyUntil(0.333333333);
      const double edge =
          2.0 * static_cast<double>(period_ns) / static_cast<double>(end_ns - begin_ns);
      EXPECT_LE(std::fabs(window->energy_j / truth_j - 1.0), 0.005 + edge);
      EXPECT_LE(std::fabs(window->energy_j - truth_j), window->uncertainty_j);
    }
  }
}

TEST(IntegrateWindowTest, RefusesAWindowShorterThanTwoSecondsOr200Periods) {
  EXPECT_EQ(MinWindowNs(Meter(kMs)), 2 * kSecond);
  EXPECT_EQ(MinWindowNs(Meter(35 * kMs)), 7 * kSecond);
  EXPECT_EQ(MinWindowNs(Meter(110 * kMs)), 22 * kSecond);
  const EnergyTrace trace = Sample({1.0}, 35 * kMs, 10 * kSecond);
  const Result<WindowEnergy> short_one = IntegrateWindow(trace, kSecond, 8 * kSecond - 1);
  EXPECT_EQ(short_one.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(short_one.status().message(), HasSubstr("at least 7000000000 ns"));
  EXPECT_TRUE(IntegrateWindow(trace, kSecond, 8 * kSecond).ok());
}

TEST(IntegrateWindowTest, LivesWithFewMissingSamplesAndRefusesMany) {
  EnergyTrace few = Sample({1.0}, kMs / 5, 4 * kSecond);
  DropEvery(2000, few);  // 0.05 %
  EXPECT_TRUE(IntegrateWindow(few, kSecond, 3 * kSecond).ok());
  EnergyTrace many = Sample({1.0}, kMs / 5, 4 * kSecond);
  DropEvery(500, many);  // 0.2 %
  const Status refused = IntegrateWindow(many, kSecond, 3 * kSecond).status();
  EXPECT_EQ(refused.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(refused.message(), HasSubstr("missing"));
}

// Of the 200 samples of a slow source's shortest window one is half a percent.
TEST(IntegrateWindowTest, BridgesOneMissingSampleAndIsLessSure) {
  const EnergyTrace clean = Sample({1.7}, 10 * kMs, 4 * kSecond);
  const Result<WindowEnergy> whole = IntegrateWindow(clean, kSecond, 3 * kSecond);
  EnergyTrace one = clean;
  one.samples.erase(one.samples.begin() + 200);
  const Result<WindowEnergy> bridged = IntegrateWindow(one, kSecond, 3 * kSecond);
  ASSERT_TRUE(bridged.ok()) << bridged.status().message();
  // Nobody looked for two periods more, beside one at either edge.
  EXPECT_NEAR(bridged->uncertainty_j / bridged->energy_j, std::hypot(0.04 / 2.0, 0.001), 1e-12);
  EXPECT_NEAR(whole->uncertainty_j / whole->energy_j, std::hypot(0.02 / 2.0, 0.001), 1e-12);
  const double truth_j = Waveform{1.7}.EnergyUntil(3.0) - Waveform{1.7}.EnergyUntil(1.0);
  EXPECT_NEAR(bridged->energy_j, truth_j, bridged->uncertainty_j);
  EnergyTrace two = one;
  two.samples.erase(two.samples.begin() + 250);
  EXPECT_THAT(IntegrateWindow(two, kSecond, 3 * kSecond).status().message(), HasSubstr("missing"));
}

TEST(IntegrateWindowTest, DoesNotMindWhatIsMissingOutsideOfTheWindow) {
  EnergyTrace trace = Sample({1.0}, 10 * kMs, 6 * kSecond);
  trace.samples.erase(trace.samples.begin() + 20, trace.samples.begin() + 60);
  trace.samples.erase(trace.samples.end() - 60, trace.samples.end() - 20);
  const Result<WindowEnergy> window = IntegrateWindow(trace, 2 * kSecond, 4 * kSecond);
  ASSERT_TRUE(window.ok()) << window.status().message();
  EXPECT_NEAR(window->uncertainty_j / window->energy_j, std::hypot(0.01, 0.001), 1e-12);
}

TEST(IntegrateWindowTest, RefusesAGapOfMoreThanThreePeriods) {
  EnergyTrace trace = Sample({1.0}, kMs / 5, 4 * kSecond);
  trace.samples.erase(trace.samples.begin() + 9000, trace.samples.begin() + 9003);
  EXPECT_THAT(IntegrateWindow(trace, kSecond, 3 * kSecond).status().message(), HasSubstr("gap"));
}

TEST(IntegrateWindowTest, RefusesAMeterThatDied) {
  EnergyTrace trace = Sample({1.0}, kMs, 4 * kSecond);
  trace.samples.resize(2500);
  EXPECT_THAT(IntegrateWindow(trace, kSecond, 3 * kSecond).status().message(),
              HasSubstr("ended early"));
  trace.samples.clear();
  EXPECT_EQ(IntegrateWindow(trace, kSecond, 3 * kSecond).status().code(), StatusCode::kDataCorrupt);
}

TEST(IntegrateWindowTest, IgnoresRepeatedSamplesAndRefusesContradictions) {
  const EnergyTrace clean = Sample({1.0}, kMs, 4 * kSecond);
  EnergyTrace repeated = clean;
  repeated.samples.insert(repeated.samples.begin() + 1500, clean.samples[1499]);
  EXPECT_EQ(IntegrateWindow(repeated, kSecond, 3 * kSecond)->energy_j,
            IntegrateWindow(clean, kSecond, 3 * kSecond)->energy_j);
  repeated.samples[1500].value += 0.5;
  EXPECT_EQ(IntegrateWindow(repeated, kSecond, 3 * kSecond).status().code(),
            StatusCode::kDataCorrupt);
  EnergyTrace back = clean;
  std::swap(back.samples[1500], back.samples[1501]);
  EXPECT_THAT(IntegrateWindow(back, kSecond, 3 * kSecond).status().message(), HasSubstr("clock"));
}

TEST(IntegrateWindowTest, RefusesPowerThatTheBoardCannotDraw) {
  for (const double factor : {1000.0, -1.0, 0.0}) {  // mA for A, swapped leads, unplugged.
    EnergyTrace trace = Sample({1.0}, kMs, 4 * kSecond);
    for (EnergySample& sample : trace.samples) sample.value *= factor;
    const Status status = IntegrateWindow(trace, kSecond, 3 * kSecond).status();
    EXPECT_EQ(status.code(), StatusCode::kDataCorrupt) << factor;
    EXPECT_THAT(status.message(), HasSubstr("wrong unit"));
  }
  EnergyTrace trace = Sample({1.0}, kMs, 4 * kSecond);
  trace.samples[1500].value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(IntegrateWindow(trace, kSecond, 3 * kSecond).status().code(), StatusCode::kDataCorrupt);
}

TEST(IntegrateWindowTest, RefusesClocksThatAreAlignedTooLoosely) {
  EnergyTrace trace = Sample({1.0}, kMs, 4 * kSecond);
  trace.clock_uncertainty_ns = 2 * kMs;
  EXPECT_TRUE(IntegrateWindow(trace, kSecond, 3 * kSecond).ok());
  trace.clock_uncertainty_ns = 2 * kMs + 1;
  EXPECT_EQ(IntegrateWindow(trace, kSecond, 3 * kSecond).status().code(), StatusCode::kDataCorrupt);
}

TEST(IntegrateWindowTest, TakesDifferencesOfACounterWhateverTheGaps) {
  EnergyTrace trace{Meter(kMs), {{0, 100.0}, {kSecond, 104.0}, {3 * kSecond, 114.0}}, 0};
  trace.source.quantity = EnergyQuantity::kEnergyJ;
  EXPECT_DOUBLE_EQ(IntegrateWindow(trace, kSecond, 3 * kSecond)->energy_j, 10.0);
  EXPECT_DOUBLE_EQ(IntegrateWindow(trace, kSecond / 2, 3 * kSecond)->energy_j, 12.0);
  trace.samples[2].value = 104.0;
  EXPECT_THAT(IntegrateWindow(trace, kSecond, 3 * kSecond).status().message(),
              HasSubstr("stood still"));
  trace.samples[2].value = 103.0;
  EXPECT_THAT(IntegrateWindow(trace, kSecond, 3 * kSecond).status().message(),
              HasSubstr("went back"));
}

// 2 s at 5 W, 1000 inferences, idle at 3 W: 10 mJ gross and 4 mJ net each.
EnergyWindows TwoSecondsAtFiveWatts() {
  const WindowEnergy idle{.energy_j = 15.0, .uncertainty_j = 0.03, .seconds = 5.0};
  EnergyWindows windows{
      .source = Meter(kMs), .busy = {}, .inferences = {}, .idle_before = idle, .idle_after = idle};
  for (int i = 0; i < 5; ++i) {
    windows.busy.push_back({.energy_j = 10.0, .uncertainty_j = 0.02, .seconds = 2.0});
    windows.inferences.push_back(1000);
  }
  return windows;
}

TEST(EstimateEnergyTest, GivesGrossAndNetWithUncertainties) {
  const Result<EnergyEstimate> estimate = EstimateEnergy(TwoSecondsAtFiveWatts());
  ASSERT_TRUE(estimate.ok()) << estimate.status().message();
  EXPECT_EQ(TierOf(estimate->energy.sensor()), EnergyTier::kMeterExternal);
  EXPECT_EQ(estimate->energy.source(), "meter:known");
  EXPECT_DOUBLE_EQ(estimate->energy.gross().value_uj, 10'000.0);
  EXPECT_DOUBLE_EQ(estimate->energy.gross().uncertainty_uj, 20.0);
  ASSERT_TRUE(estimate->energy.net().has_value());
  EXPECT_DOUBLE_EQ(estimate->energy.net()->value_uj, 4'000.0);
  // Idle: 0.03 J / 5 s * 2 s = 0.012 J a window.
  EXPECT_NEAR(estimate->energy.net()->uncertainty_uj, std::hypot(20.0, 12.0), 1e-9);
  EXPECT_DOUBLE_EQ(estimate->idle_power_w, 3.0);
  EXPECT_DOUBLE_EQ(estimate->latency_ns, 2e6);
}

TEST(EstimateEnergyTest, KeepsGrossAndDropsNetWhenIdlePowerShifts) {
  EnergyWindows windows = TwoSecondsAtFiveWatts();
  windows.idle_after.energy_j *= 1.1;
  const Result<EnergyEstimate> estimate = EstimateEnergy(windows);
  ASSERT_TRUE(estimate.ok());
  EXPECT_TRUE(estimate->idle_shifted);
  EXPECT_FALSE(estimate->energy.net().has_value());
  EXPECT_DOUBLE_EQ(estimate->energy.gross().value_uj, 10'000.0);
}

TEST(EstimateEnergyTest, CountsTheScatterOfTheWindows) {
  EnergyWindows windows = TwoSecondsAtFiveWatts();
  windows.busy[0].energy_j = 9.0;
  windows.busy[1].energy_j = 9.5;
  windows.busy[3].energy_j = 10.5;
  windows.busy[4].energy_j = 11.0;
  // 9000, 9500, 10000, 10500, 11000 uJ: variance 625,000, standard error 353.553, t of four degrees
  // of freedom 2.7764, so 981.6; the windows' own 22 uJ (0.02 J of 9 J less) join in quadrature.
  EXPECT_NEAR(EstimateEnergy(windows)->energy.gross().uncertainty_uj, 981.8, 0.1);
  // Order statistics of seven windows reach from the first to the last.
  for (const double energy_j : {6.0, 13.5}) {
    windows.busy.push_back({.energy_j = energy_j, .uncertainty_j = 0.02, .seconds = 2.0});
    windows.inferences.push_back(1000);
  }
  EXPECT_DOUBLE_EQ(EstimateEnergy(windows)->energy.gross().value_uj, 10'000.0);
  EXPECT_NEAR(EstimateEnergy(windows)->energy.gross().uncertainty_uj, 4'000.0, 0.1);
}

TEST(EstimateEnergyTest, CountsHowFarTheTwoRestsDiffer) {
  EnergyWindows windows = TwoSecondsAtFiveWatts();
  windows.idle_after.energy_j *= 1.01;
  // 3 W and 3.03 W: 12.7062 * 0.015 W = 0.1906 W, of 2 ms an inference.
  const std::optional<EnergyFigure> net = EstimateEnergy(windows)->energy.net();
  ASSERT_TRUE(net.has_value());
  EXPECT_NEAR(net->value_uj, 3'970.0, 1e-6);
  EXPECT_NEAR(net->uncertainty_uj, 382.0, 0.5);
}

TEST(EstimateEnergyTest, RefusesASingleWindowBecauseItHasNoScatter) {
  EnergyWindows windows = TwoSecondsAtFiveWatts();
  windows.busy.resize(1);
  windows.inferences.resize(1);
  EXPECT_THAT(EstimateEnergy(windows).status().message(), HasSubstr("at least 2 windows"));
}

TEST(EstimateEnergyTest, RefusesWindowsThatSayNothing) {
  EnergyWindows windows = TwoSecondsAtFiveWatts();
  windows.inferences[2] = 0;
  EXPECT_EQ(EstimateEnergy(windows).status().code(), StatusCode::kInvalidArgument);
  windows.busy.clear();
  EXPECT_EQ(EstimateEnergy(windows).status().code(), StatusCode::kInvalidArgument);
}

// What the compiler must refuse: a model's figure, or a bare number, where a measured one belongs.
static_assert(!std::is_assignable_v<MeasuredEnergy&, ModelEnergy>);
static_assert(!std::is_constructible_v<MeasuredEnergy, ModelEnergy>);
static_assert(!std::is_constructible_v<std::optional<MeasuredEnergy>, ModelEnergy>);
static_assert(!std::is_assignable_v<std::optional<MeasuredEnergy>&, ModelEnergy>);
static_assert(!std::is_constructible_v<MeasuredEnergy, double>);
static_assert(!std::is_constructible_v<EnergyFigure, ModelEnergy>);
static_assert(!std::is_convertible_v<ModelEnergy, double>);
static_assert(!std::is_convertible_v<MeasuredEnergy, ModelEnergy>);
static_assert(!std::is_convertible_v<EnergyTier, EnergySensor>);
static_assert(!std::is_default_constructible_v<MeasuredEnergy>);

TEST(MeasuredEnergyTest, RefusesFiguresThatNoSensorGives) {
  const auto create = [](double value, double uncertainty, std::optional<EnergyFigure> net) {
    return MeasuredEnergy::Create(EnergySensor::kSensorOnboard, "rapl:package-0",
                                  {value, uncertainty}, net)
        .status()
        .code();
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(create(1.0, 0.0, EnergyFigure{-0.1, 0.2}), StatusCode::kOk);
  EXPECT_EQ(create(0.0, 0.0, std::nullopt), StatusCode::kDataCorrupt);
  EXPECT_EQ(create(nan, 0.0, std::nullopt), StatusCode::kDataCorrupt);
  EXPECT_EQ(create(1.0, -1.0, std::nullopt), StatusCode::kDataCorrupt);
  EXPECT_EQ(create(1.0, nan, std::nullopt), StatusCode::kDataCorrupt);
  EXPECT_EQ(create(1.0, 0.0, EnergyFigure{nan, 0.0}), StatusCode::kDataCorrupt);
  EXPECT_EQ(MeasuredEnergy::Create(EnergySensor::kSensorOnboard, "", {1.0, 0.0}, std::nullopt)
                .status()
                .code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitpilot

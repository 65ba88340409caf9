// What becomes of an energy phase: F50, F51, F53 and F54 of the list of faults, with their
// outcomes: an energy, or a reason.
#include "device_daemon/server/energy_result.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/validation.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

// 0-2 s idle, then two rounds of 2 s of network 0 (1 ms an inference) and of network 1 (2 ms), then
// 2 s idle; 100 ms between all windows.
struct Phase {
  v1::EnergyRunResult run;
  std::int64_t end_ns = 0;

  explicit Phase(std::int64_t window_ns = 2 * kSecond) {
    std::int64_t now_ns = 100 * kMs;
    const auto fill = [&](v1::EnergyStretch& stretch, std::int64_t inference_ns) {
      stretch.set_begin_ns(now_ns);
      stretch.set_end_ns(now_ns + window_ns);
      if (inference_ns > 0) {
        stretch.set_inferences(static_cast<std::uint64_t>(window_ns / inference_ns));
      }
      now_ns += window_ns + 100 * kMs;
    };
    run.set_status(v1::OK);
    fill(*run.mutable_idle_before(), 0);
    for (int round = 0; round < 2; ++round) {
      fill(*run.add_busy(), kMs);
      fill(*run.add_busy(), 2 * kMs);
    }
    fill(*run.mutable_idle_after(), 0);
    end_ns = now_ns;
  }
};

// 3 W idle, 5 W while network 0 runs and 7 W while network 1 does; the power changes midway between
// windows.
double PowerAt(const Phase& phase, std::int64_t time_ns) {
  const auto within = [&](const v1::EnergyStretch& stretch) {
    return time_ns >= stretch.begin_ns() - 50 * kMs && time_ns < stretch.end_ns() + 50 * kMs;
  };
  for (int i = 0; i < phase.run.busy_size(); ++i) {
    if (within(phase.run.busy(i))) return i % 2 == 0 ? 5.0 : 7.0;
  }
  return 3.0;
}

EnergyTrace TraceOf(const Phase& phase, std::int64_t period_ns = kMs) {
  EnergyTrace trace;
  trace.source = {.name = "meter:known",
                  .scope = "a formula",
                  .coverage = EnergyCoverage::kExternal,
                  .sensor = EnergySensor::kMeterExternal,
                  .quantity = EnergyQuantity::kPowerW,
                  .period_ns = period_ns,
                  .relative_accuracy = 0.001,
                  .max_power_w = 20.0};
  for (std::int64_t t = 0; t <= phase.end_ns; t += period_ns) {
    trace.samples.push_back({t, PowerAt(phase, t)});
  }
  return trace;
}

v1::MeasureResult LatenciesOf(double first_ns = 1e6, double second_ns = 2e6) {
  v1::MeasureResult result;
  result.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  result.set_status(v1::OK);
  result.set_source("measured");
  for (const double latency_ns : {first_ns, second_ns}) {
    v1::NetworkMeasurement& network = *result.add_networks();
    network.set_network_sha256(std::string(kSha256Bytes, 'n'));
    network.set_latency_median_ns(latency_ns);
    network.set_latency_low_ns(latency_ns * 0.999);
    network.set_latency_high_ns(latency_ns * 1.001);
    network.set_confidence(0.96);
    network.add_window_ns(latency_ns);
    network.add_window_cpu_ns(latency_ns);
  }
  return result;
}

v1::MeasureResult Attach(const Phase& phase, const Result<EnergyTrace>& trace,
                         v1::MeasureResult result = LatenciesOf()) {
  AttachEnergy(phase.run, trace, kDefaultEnergyTolerance, result);
  Message message;
  *message.envelope.mutable_measure_result() = result;
  EXPECT_TRUE(ValidateReply(message).ok()) << ValidateReply(message).message();
  return result;
}

void ExpectRefused(const v1::MeasureResult& result, const std::string& reason) {
  for (const v1::NetworkMeasurement& network : result.networks()) {
    EXPECT_FALSE(network.has_energy());
    EXPECT_THAT(network.no_energy_reason(), HasSubstr(reason));
  }
}

TEST(AttachEnergyTest, GivesEveryNetworkTheJoulesOfItsOwnWindows) {
  const Phase phase;
  const v1::MeasureResult result = Attach(phase, TraceOf(phase));
  const double gross_uj[] = {5.0 * 1e3, 7.0 * 2e3};
  const double net_uj[] = {2.0 * 1e3, 4.0 * 2e3};
  for (int i = 0; i < 2; ++i) {
    const v1::EnergyMeasurement& energy = result.networks(i).energy();
    EXPECT_EQ(energy.tier(), v1::METER_EXTERNAL);
    EXPECT_EQ(energy.source(), "meter:known");
    EXPECT_NEAR(energy.gross_uj(), gross_uj[i], gross_uj[i] * 1e-9);
    EXPECT_NEAR(energy.net_uj(), net_uj[i], net_uj[i] * 1e-9);
    // Edges: 1 ms at both ends of 2 s; instrument: 0.1 %.
    EXPECT_NEAR(energy.gross_uncertainty_uj(), gross_uj[i] * std::hypot(0.001, 0.001), 1e-3);
    EXPECT_NEAR(energy.idle_power_w(), 3.0, 1e-9);
    EXPECT_DOUBLE_EQ(energy.latency_ns(), i == 0 ? 1e6 : 2e6);
    EXPECT_DOUBLE_EQ(energy.window_s(), 2.0);
    EXPECT_EQ(energy.inferences(), i == 0 ? 4'000U : 2'000U);
    EXPECT_EQ(energy.window_uj_size(), 2);
    EXPECT_GT(energy.samples(), 12'000U);
  }
}

TEST(AttachEnergyTest, RefusesEverythingWhenTheMeterIsLost) {
  ExpectRefused(Attach(Phase(), Status(StatusCode::kUnavailable, "the meter program has ended")),
                "the meter program has ended");
}

TEST(AttachEnergyTest, RefusesAWindowShorterThanTheSourceNeeds) {
  const Phase phase;
  ExpectRefused(Attach(phase, TraceOf(phase, 20 * kMs)), "too short");
}

TEST(AttachEnergyTest, RefusesATraceThatEndsEarly) {
  const Phase phase;
  EnergyTrace trace = TraceOf(phase);
  trace.samples.resize(trace.samples.size() - 500);
  ExpectRefused(Attach(phase, trace), "ended early");
}

TEST(AttachEnergyTest, RefusesPowersThatTheBoardCannotDraw) {
  const Phase phase;
  EnergyTrace trace = TraceOf(phase);
  for (EnergySample& sample : trace.samples) sample.value *= 1000.0;  // mA for A.
  ExpectRefused(Attach(phase, trace), "wrong unit");
}

TEST(AttachEnergyTest, RefusesSamplesThatGoBackInTime) {
  const Phase phase;
  EnergyTrace trace = TraceOf(phase);
  std::swap(trace.samples[3000], trace.samples[3001]);
  ExpectRefused(Attach(phase, trace), "clock");
}

TEST(AttachEnergyTest, LivesWithOneSampleIn2000LostAndRefusesOneIn500) {
  const Phase phase;
  for (const std::size_t every : {2000U, 500U}) {
    EnergyTrace trace = TraceOf(phase);
    std::size_t index = 0;
    std::erase_if(trace.samples, [&](const EnergySample&) { return ++index % every == every / 2; });
    const v1::MeasureResult result = Attach(phase, trace);
    if (every == 500) {
      ExpectRefused(result, "missing");
    } else {
      EXPECT_TRUE(result.networks(0).has_energy()) << result.networks(0).no_energy_reason();
    }
  }
}

TEST(AttachEnergyTest, KeepsGrossWithoutNetWhenIdlePowerShifts) {
  const Phase phase;
  EnergyTrace trace = TraceOf(phase);
  for (EnergySample& sample : trace.samples) {
    if (sample.time_ns > phase.run.idle_after().begin_ns() - 50 * kMs) sample.value = 3.3;
  }
  const v1::MeasureResult result = Attach(phase, trace);
  const v1::EnergyMeasurement& energy = result.networks(0).energy();
  EXPECT_NEAR(energy.gross_uj(), 5e3, 1e-3);
  EXPECT_FALSE(energy.has_net_uj());
  EXPECT_THAT(energy.no_net_reason(), HasSubstr("from 3.0"));
}

// Each network on its own: the second one's latency phase was 5 % faster.
TEST(AttachEnergyTest, RefusesANetworkThatRanAtAnotherSpeedThanInTheLatencyPhase) {
  const Phase phase;
  const v1::MeasureResult result = Attach(phase, TraceOf(phase), LatenciesOf(1e6, 1.9e6));
  EXPECT_TRUE(result.networks(0).has_energy());
  EXPECT_FALSE(result.networks(1).has_energy());
  EXPECT_THAT(result.networks(1).no_energy_reason(), HasSubstr("5.3 % longer"));
  EXPECT_THAT(Attach(phase, TraceOf(phase), LatenciesOf(2e6, 2e6)).networks(0).no_energy_reason(),
              HasSubstr("50.0 % less in the energy phase"));
  // 2 % outside the interval are just allowed.
  const v1::MeasureResult near = Attach(phase, TraceOf(phase), LatenciesOf(0.982e6, 2.04e6));
  EXPECT_TRUE(near.networks(0).has_energy()) << near.networks(0).no_energy_reason();
  EXPECT_TRUE(near.networks(1).has_energy()) << near.networks(1).no_energy_reason();
}

TEST(AttachEnergyTest, TakesDifferencesOfACounter) {
  const Phase phase;
  EnergyTrace trace = TraceOf(phase);
  trace.source.quantity = EnergyQuantity::kEnergyJ;
  double energy_j = 0.0;
  for (EnergySample& sample : trace.samples) {
    const double power_w = sample.value;
    sample.value = energy_j;
    energy_j += power_w * 1e-3;
  }
  const v1::MeasureResult result = Attach(phase, trace);
  EXPECT_NEAR(result.networks(0).energy().gross_uj(), 5e3, 5e3 * 1e-6);
  EXPECT_NEAR(result.networks(1).energy().net_uj(), 8e3, 8e3 * 1e-6);
}

TEST(AttachEnergyTest, RefusesWindowsThatContradictThemselves) {
  const Phase good;
  const auto refused = [&](auto damage) {
    Phase phase;
    damage(phase.run);
    ExpectRefused(Attach(phase, TraceOf(good)), "the worker");
  };
  refused([](v1::EnergyRunResult& run) { run.clear_busy(); });
  refused([](v1::EnergyRunResult& run) { run.mutable_busy()->RemoveLast(); });
  refused([](v1::EnergyRunResult& run) { run.mutable_busy(1)->set_inferences(0); });
  refused([](v1::EnergyRunResult& run) { run.mutable_busy(0)->set_end_ns(0); });
  refused([](v1::EnergyRunResult& run) { run.clear_idle_after(); });
  refused([](v1::EnergyRunResult& run) { run.mutable_idle_before()->set_inferences(3); });
}

TEST(EnergyResultTest, GivesUpEnergiesThatMakeAResultTooLargeAndKeepsItsLatencies) {
  const Phase phase;
  Message reply;
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  result = Attach(phase, TraceOf(phase));
  ASSERT_TRUE(result.networks(0).has_energy());
  DropEnergyThatDoesNotFit(reply);
  EXPECT_TRUE(result.networks(0).has_energy()) << "it fits";
  // Without the energies it fits by less than they take.
  Message bare = reply;
  RefuseEnergy("", *bare.envelope.mutable_measure_result());
  const std::size_t room = kMaxEnvelopeBytes - bare.envelope.ByteSizeLong();
  result.set_detail(std::string(room - 426, 'x'));
  ASSERT_FALSE(FitsFrames(reply));
  DropEnergyThatDoesNotFit(reply);
  ExpectRefused(result, "too large for a message");
  EXPECT_EQ(result.networks(0).latency_median_ns(), 1e6);
  EXPECT_TRUE(FitsFrames(reply));
  EXPECT_TRUE(ValidateReply(reply).ok());
}

}  // namespace
}  // namespace bitpilot

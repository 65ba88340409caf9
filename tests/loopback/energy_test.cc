// Energy as the agent gets it, from a real daemon and a meter whose truth is known.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "agent/device/local_board.h"
#include "agent/fleet/board.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

constexpr double kWatts = 4.0;

Result<std::unique_ptr<Board>> BoardWithMeter() {
  BoardOptions options;
  options.meter = METER_SYNTHETIC_PATH " --watts 4 --amplitude 1 --cycle-ms 20";
  return StartLocalBoard("local", options);
}

TEST(BoardEnergyTest, NamesTheMeterThatMeasures) {
  const auto board = BoardWithMeter();
  ASSERT_TRUE(board.ok()) << board.status().message();
  const BoardEnergy& energy = (*board)->info().energy;
  EXPECT_TRUE(energy.measures());
  EXPECT_EQ(energy.tier, EnergyTier::kMeterExternal);
  EXPECT_EQ(energy.source, "meter:synthetic");
  EXPECT_DOUBLE_EQ(energy.window_s, 2.0);
  EXPECT_TRUE(energy.reason.empty());
}

TEST(BoardEnergyTest, ReturnsTheJoulesOfEveryNetwork) {
  const auto board = BoardWithMeter();
  ASSERT_TRUE(board.ok()) << board.status().message();
  const Network network = SmallNetwork(1);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  job.energy = true;
  Measurement measurement;
  for (int attempt = 0; attempt < 3; ++attempt) {
    Result<Measurement> answer = (*board)->Measure(job);
    ASSERT_TRUE(answer.ok()) << answer.status().message();
    measurement = std::move(*answer);
    ASSERT_EQ(measurement.networks.size(), 1u) << measurement.detail;
    if (measurement.networks[0].energy) break;
  }
  const NetworkMeasurement& measured = measurement.networks[0];
  if (!measured.energy) {
    ASSERT_FALSE(measured.no_energy_reason.empty());
    GTEST_SKIP() << "this machine is too busy to measure energy: " << measured.no_energy_reason;
  }
  const EnergyReading& reading = *measured.energy;
  EXPECT_TRUE(measured.no_energy_reason.empty());
  EXPECT_EQ(reading.energy.sensor(), EnergySensor::kMeterExternal);
  EXPECT_EQ(reading.energy.source(), "meter:synthetic");
  const double truth_uj = kWatts * reading.conditions.latency_ns * 1e-3;
  EXPECT_LE(std::fabs(reading.energy.gross().value_uj - truth_uj),
            reading.energy.gross().uncertainty_uj);
  EXPECT_EQ(reading.window_uj.size(), 2u);
  EXPECT_GE(reading.conditions.window_s, 2.0);
}

TEST(BoardEnergyTest, AModelAnswersWithAReasonAndNoJoules) {
  const auto board = StartLocalBoard("model:" BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost", {});
  ASSERT_TRUE(board.ok()) << board.status().message();
  EXPECT_FALSE((*board)->info().energy.measures());
  EXPECT_EQ((*board)->info().energy.tier, EnergyTier::kModelTable);
  const Network network = SmallNetwork(1);
  MeasureJob job;
  job.networks = {&network};
  job.energy = true;
  const Result<Measurement> measurement = (*board)->Measure(job);
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  ASSERT_EQ(measurement->networks.size(), 1u) << measurement->detail;
  EXPECT_FALSE(measurement->networks[0].energy.has_value());
  EXPECT_NE(measurement->networks[0].no_energy_reason.find("model"), std::string::npos)
      << measurement->networks[0].no_energy_reason;
  EXPECT_EQ(measurement->networks[0].model_energy, 2.0);
}

TEST(BoardEnergyTest, RefusesAMeterForAModelBoard) {
  BoardOptions options;
  options.meter = METER_SYNTHETIC_PATH;
  const Status refused =
      StartLocalBoard("model:" BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost", options).status();
  EXPECT_NE(refused.message().find("a model measures nothing"), std::string::npos)
      << refused.message();
}

}  // namespace
}  // namespace bitpilot

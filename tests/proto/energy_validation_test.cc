// Energies on the wire: what the agent must never believe.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "proto/validation.h"

namespace bitpilot {
namespace {

v1::EnergyMeasurement MeasuredInThreeWindows() {
  v1::EnergyMeasurement energy;
  energy.set_tier(v1::SENSOR_ONBOARD);
  energy.set_source("rapl:package-0");
  energy.set_scope("CPU packages");
  energy.set_gross_uj(300.0);
  energy.set_gross_uncertainty_uj(16.0);
  energy.set_net_uj(120.0);
  energy.set_net_uncertainty_uj(20.0);
  energy.set_idle_power_w(1.8);
  energy.set_latency_ns(100'000.0);
  energy.set_window_s(2.0);
  energy.set_inferences(60'000);
  energy.set_samples(9'000);
  for (const double window_uj : {299.0, 300.0, 304.0}) energy.add_window_uj(window_uj);
  return energy;
}

Message ReplyWith(const v1::EnergyMeasurement& energy) {
  Message message;
  v1::MeasureResult& result = *message.envelope.mutable_measure_result();
  result.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  result.set_status(v1::OK);
  result.set_source("measured");
  v1::NetworkMeasurement& network = *result.add_networks();
  network.set_network_sha256(std::string(kSha256Bytes, 'n'));
  network.set_latency_median_ns(2.0);
  network.set_latency_low_ns(1.0);
  network.set_latency_high_ns(3.0);
  network.set_confidence(0.96);
  network.add_window_ns(2.0);
  network.add_window_cpu_ns(2.0);
  *network.mutable_energy() = energy;
  return message;
}

v1::NetworkMeasurement& NetworkOf(Message& message) {
  return *message.envelope.mutable_measure_result()->mutable_networks(0);
}

TEST(EnergyValidationTest, AcceptsEnergiesWithAndWithoutANetFigure) {
  v1::EnergyMeasurement energy = MeasuredInThreeWindows();
  EXPECT_TRUE(ValidateReply(ReplyWith(energy)).ok());
  energy.clear_net_uj();
  energy.clear_net_uncertainty_uj();
  energy.set_no_net_reason("idle power changed by 10 %");
  EXPECT_TRUE(ValidateReply(ReplyWith(energy)).ok());
}

TEST(EnergyValidationTest, RefusesTiersThatDoNotMeasure) {
  for (const int tier : {0, 3, 4, 5, 6, -1}) {
    v1::EnergyMeasurement energy = MeasuredInThreeWindows();
    energy.set_tier(static_cast<v1::EnergyTier>(tier));
    EXPECT_FALSE(ValidateReply(ReplyWith(energy)).ok()) << tier;
  }
}

TEST(EnergyValidationTest, RefusesAMeasuredEnergyInAModelsResult) {
  Message message = ReplyWith(MeasuredInThreeWindows());
  message.envelope.mutable_measure_result()->set_source("MODEL:mpic");
  EXPECT_FALSE(ValidateReply(message).ok());
  NetworkOf(message).clear_energy();
  NetworkOf(message).set_model_energy(3.0);
  NetworkOf(message).set_model_energy_unit("uJ-model");
  EXPECT_TRUE(ValidateReply(message).ok());
}

TEST(EnergyValidationTest, RefusesAnEnergyTogetherWithTheReasonForItsAbsence) {
  Message message = ReplyWith(MeasuredInThreeWindows());
  NetworkOf(message).set_no_energy_reason("the meter ended");
  EXPECT_FALSE(ValidateReply(message).ok());
  NetworkOf(message).clear_energy();
  EXPECT_TRUE(ValidateReply(message).ok());
}

// One field at a time, with values that no sensor gives.
TEST(EnergyValidationTest, RefusesFiguresThatNoSensorGives) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::function<void(v1::EnergyMeasurement&)>> damages = {
      [&](auto& energy) { energy.set_gross_uj(0.0); },
      [&](auto& energy) { energy.set_gross_uj(nan); },
      [&](auto& energy) { energy.set_gross_uj(305.0); },  // Above every window.
      [&](auto& energy) { energy.set_gross_uncertainty_uj(-1.0); },
      [&](auto& energy) { energy.set_gross_uncertainty_uj(infinity); },
      [&](auto& energy) { energy.set_net_uj(nan); },
      [&](auto& energy) { energy.clear_net_uncertainty_uj(); },
      [&](auto& energy) { energy.clear_net_uj(); },
      [&](auto& energy) { energy.set_no_net_reason("both"); },
      [&](auto& energy) { energy.set_net_uncertainty_uj(-0.5); },
      [&](auto& energy) { energy.set_idle_power_w(0.0); },
      [&](auto& energy) { energy.set_latency_ns(-1.0); },
      [&](auto& energy) { energy.set_window_s(nan); },
      [&](auto& energy) { energy.set_samples(1); },
      [&](auto& energy) { energy.set_inferences(2); },
      [&](auto& energy) { energy.clear_window_uj(); },
      [&](auto& energy) { energy.set_window_uj(1, -300.0); },
      [&](auto& energy) { energy.clear_source(); },
      [&](auto& energy) { energy.set_source(std::string(kMaxNameBytes + 1, 'x')); },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    v1::EnergyMeasurement energy = MeasuredInThreeWindows();
    damages[i](energy);
    EXPECT_EQ(ValidateReply(ReplyWith(energy)).code(), StatusCode::kInvalidArgument) << i;
  }
}

// Whatever bytes came, an energy that passes has a sensor's tier, a source and positive joules.
TEST(EnergyValidationTest, LetsNoMutatedEnergyPassThatNoSensorGives) {
  std::mt19937 random(20'261'121);
  const std::string valid = MeasuredInThreeWindows().SerializeAsString();
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = valid;
    for (int i = 0; i <= static_cast<int>(random() % 3); ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    v1::EnergyMeasurement energy;
    if (!energy.ParseFromString(bytes) || !ValidateReply(ReplyWith(energy)).ok()) continue;
    ++accepted;
    ASSERT_TRUE(energy.tier() == v1::METER_EXTERNAL || energy.tier() == v1::SENSOR_ONBOARD);
    ASSERT_FALSE(energy.source().empty());
    ASSERT_TRUE(std::isfinite(energy.gross_uj()) && energy.gross_uj() > 0.0);
    ASSERT_TRUE(std::isfinite(energy.net_uj()));
    ASSERT_EQ(energy.has_net_uj(), energy.no_net_reason().empty());
  }
  EXPECT_GT(accepted, 100);
  EXPECT_LT(accepted, 19'000);
}

TEST(EnergyValidationTest, RefusesCapabilitiesThatContradictThemselves) {
  Message message;
  v1::HelloAck& ack = *message.envelope.mutable_hello_ack();
  ack.set_session_id(std::string(kSessionIdBytes, 's'));
  ack.set_boot_id(std::string(kSessionIdBytes, 'b'));
  EXPECT_TRUE(ValidateReply(message).ok());  // A daemon that knows nothing of energy.
  v1::EnergyCapability& energy = *ack.mutable_capabilities()->mutable_energy();
  EXPECT_FALSE(ValidateReply(message).ok());
  energy.set_tier(v1::NO_ENERGY);
  EXPECT_FALSE(ValidateReply(message).ok());
  energy.set_reason("this machine has no energy source");
  EXPECT_TRUE(ValidateReply(message).ok());
  energy.set_tier(v1::METER_EXTERNAL);
  EXPECT_FALSE(ValidateReply(message).ok());
  energy.clear_reason();
  energy.set_source("meter:js220");
  energy.set_period_ms(1.0);
  EXPECT_FALSE(ValidateReply(message).ok());
  energy.set_window_s(2.0);
  EXPECT_TRUE(ValidateReply(message).ok());
  energy.set_tier(static_cast<v1::EnergyTier>(6));
  EXPECT_FALSE(ValidateReply(message).ok());
}

// They are for the channel between the daemon and its worker, and no peer's business.
TEST(EnergyValidationTest, TakesTheWorkersMessagesFromNoPeer) {
  Message message;
  message.envelope.set_session_id(std::string(kSessionIdBytes, 's'));
  message.envelope.mutable_energy_run_request();
  EXPECT_EQ(ValidateRequest(message).code(), StatusCode::kInvalidArgument);
  message.envelope.mutable_energy_run_result();
  EXPECT_EQ(ValidateRequest(message).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ValidateReply(message).code(), StatusCode::kInvalidArgument);
  message.envelope.mutable_board_baseline();
  EXPECT_EQ(ValidateRequest(message).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ValidateReply(message).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitpilot

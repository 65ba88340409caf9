// Real kernels; a clock and a rest that the test controls.
#include "device_daemon/measurement/energy_phase.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/device_daemon/test_networks.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

// Looking at the clock takes 30 ms; resting takes as long as it should.
class PhaseClock final : public MeasureClock {
 public:
  std::int64_t WallNs() override { return ns_ += 30 * kMs; }
  std::int64_t ThreadCpuNs() override { return ns_; }
  void Rest(std::int64_t duration_ns) { ns_ += duration_ns; }

 private:
  std::int64_t ns_ = 0;
};

class EnergyPhaseTest : public testing::Test {
 protected:
  EnergyPhaseTest() {
    setup_.load = [this](std::string_view sha256) -> Result<Network> {
      for (const TestNetwork& one : networks_) {
        if (one.sha256 == sha256) return one.network;
      }
      return Status(StatusCode::kNotFound, "no such network");
    };
    v1::MeasureRequest& measure = *request_.mutable_measure();
    measure.set_measure_id("energy-phase-id!");
    measure.set_golden_pixels(pixels_);
    for (const TestNetwork& one : networks_) {
      measure.add_network_sha256(one.sha256);
      measure.add_golden_logits(GoldenLogits(one.network, pixels_));
      request_.add_latency_ns(30e6);
    }
    request_.set_rounds(2);
    request_.set_window_ns(200 * kMs);
    request_.set_idle_ns(400 * kMs);
    request_.set_lead_ns(60 * kMs);
  }

  v1::EnergyRunResult Run() {
    return RunEnergyPhase(
        request_, setup_, clock_, [this](std::int64_t ns) { clock_.Rest(ns); },
        [this](const Progress&) { ++signs_of_life_; });
  }

  const std::vector<TestNetwork> networks_{MakeTestNetwork(8, 1), MakeTestNetwork(4, 2)};
  const std::string pixels_ = RandomPixels(3 * 32 * 32, 5);
  MeasurementSetup setup_;
  v1::EnergyRunRequest request_;
  PhaseClock clock_;
  int signs_of_life_ = 0;
};

TEST_F(EnergyPhaseTest, NotesIdleWindowsAroundInterleavedBusyOnes) {
  const v1::EnergyRunResult result = Run();
  ASSERT_EQ(result.status(), v1::OK) << result.detail();
  EXPECT_EQ(result.measure_id(), "energy-phase-id!");
  ASSERT_EQ(result.busy_size(), 4);
  // Every other round runs backward, so that a slow change hits both networks alike.
  const int order[] = {0, 1, 3, 2};
  std::int64_t last_ns = result.idle_before().end_ns();
  for (const int index : order) {
    const v1::EnergyStretch& window = result.busy(index);
    EXPECT_GE(window.begin_ns(), last_ns + 60 * kMs);  // The lead belongs to no window.
    EXPECT_GE(window.end_ns() - window.begin_ns(), 200 * kMs);
    EXPECT_GT(window.inferences(), 0U);
    last_ns = window.end_ns();
  }
  EXPECT_GE(result.idle_after().begin_ns(), last_ns + 60 * kMs);
  for (const v1::EnergyStretch& idle : {result.idle_before(), result.idle_after()}) {
    EXPECT_GE(idle.end_ns() - idle.begin_ns(), 400 * kMs);
    EXPECT_EQ(idle.inferences(), 0U);
  }
  EXPECT_GT(signs_of_life_, 10);
}

// 5 ms hold no inference of 30 ms, so one runs between two looks; with 1 ms they hold five.
TEST_F(EnergyPhaseTest, CountsEveryInference) {
  request_.set_rounds(1);
  const std::uint64_t slow = Run().busy(0).inferences();
  request_.set_latency_ns(0, 1e6);
  EXPECT_EQ(Run().busy(0).inferences(), 5 * slow);
}

TEST_F(EnergyPhaseTest, GivesNoWindowsWhenAnOutputIsWrong) {
  (*request_.mutable_measure()->mutable_golden_logits(1))[4] ^= 1;
  const v1::EnergyRunResult result = Run();
  EXPECT_EQ(result.status(), v1::WRONG_OUTPUT);
  EXPECT_NE(result.detail().find("network 1, logit 1"), std::string::npos) << result.detail();
  EXPECT_EQ(result.busy_size(), 0);
  EXPECT_FALSE(result.has_idle_before());
}

TEST(EnergyPlanTest, GivesEveryTierTheWindowsThatTheSourceNeeds) {
  const EnergyPlan screen = EnergyPlanFor(v1::MeasureSpec::SCREEN, 2 * kSecond, kMs);
  EXPECT_EQ(screen.rounds, 2);
  EXPECT_EQ(screen.window_ns, 2 * kSecond);
  EXPECT_EQ(screen.idle_ns, 2 * kSecond);
  EXPECT_EQ(screen.lead_ns, 20 * kMs);
  // Idle 2 x 2.04 s and two rounds of two windows of 2.04 s.
  EXPECT_EQ(screen.DurationNs(2), 2 * 2'040 * kMs + 4 * 2'040 * kMs);
  const EnergyPlan standard = EnergyPlanFor(v1::MeasureSpec::STANDARD, 2 * kSecond, kMs);
  EXPECT_EQ(standard.rounds, 3);
  EXPECT_EQ(standard.idle_ns, 5 * kSecond);
  const EnergyPlan slow = EnergyPlanFor(v1::MeasureSpec::AUDIT, 20 * kSecond, 100 * kMs);
  EXPECT_EQ(slow.rounds, 5);
  EXPECT_EQ(slow.idle_ns, 20 * kSecond);
  EXPECT_EQ(slow.lead_ns, 200 * kMs);
}

}  // namespace
}  // namespace bitpilot

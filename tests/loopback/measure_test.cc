#include <gtest/gtest.h>

#include <variant>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/fleet/board.h"
#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/job_requests.h"
#include "agent/fleet/zmq_link.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

class MeasureTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Board>> board = StartLocalBoard("local", {});
    ASSERT_TRUE(board.ok()) << board.status().message();
    board_ = std::move(board).value();
  }

  std::unique_ptr<Board> board_;
};

void ExpectNumbers(const Measurement& measurement, std::size_t num_networks) {
  ASSERT_TRUE(HasNumbers(measurement.status))
      << ToString(measurement.status) << ": " << measurement.detail;
  EXPECT_EQ(measurement.source, "measured");
  EXPECT_GT(measurement.duration_ms, 0.0);
  ASSERT_EQ(measurement.networks.size(), num_networks);
  for (const NetworkMeasurement& network : measurement.networks) {
    EXPECT_LE(network.latency_low_ns, network.latency_median_ns);
    EXPECT_LE(network.latency_median_ns, network.latency_high_ns);
    EXPECT_GT(network.latency_low_ns, 0.0);
    EXPECT_FALSE(network.window_ns.empty());
    EXPECT_EQ(network.window_cpu_ns.size(), network.window_ns.size());
    EXPECT_GT(network.inferences_per_window, 0);
    EXPECT_EQ(network.kernels.size(), 2U);
    EXPECT_FALSE(network.model_energy.has_value());
  }
}

TEST_F(MeasureTest, ReturnsEveryWindowOfARealMeasurement) {
  const Network network = SmallNetwork(1);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  const Result<Measurement> measurement = board_->Measure(job);
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  ExpectNumbers(*measurement, 1);
  EXPECT_TRUE(measurement->networks[0].operation_ns.empty());
}

TEST_F(MeasureTest, TimesEachOperationWhenAsked) {
  const Network network = SmallNetwork(2);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  job.per_operation = true;
  const Result<Measurement> measurement = board_->Measure(job);
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  ExpectNumbers(*measurement, 1);
  EXPECT_EQ(measurement->networks[0].operation_ns.size(), 2U);
}

TEST_F(MeasureTest, InterleavesSeveralNetworks) {
  const Network first = SmallNetwork(3);
  const Network second = SmallNetwork(4);
  MeasureJob job;
  job.networks = {&first, &second};
  job.tier = Tier::kScreen;
  const Result<Measurement> measurement = board_->Measure(job);
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  ExpectNumbers(*measurement, 2);
  EXPECT_EQ(measurement->networks[0].window_ns.size(), measurement->networks[1].window_ns.size());
}

// Through agent, daemon and worker, whose channel takes no larger envelopes either.
TEST_F(MeasureTest, MeasuresNetworksOfLargeImages) {
  const Network network = LargeImageNetwork(8);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  const Result<Measurement> measurement = board_->Measure(job);
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  EXPECT_TRUE(HasNumbers(measurement->status))
      << ToString(measurement->status) << ": " << measurement->detail;
}

TEST_F(MeasureTest, WorksWhileTheCallerIsBusy) {
  const Network network = SmallNetwork(5);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  ASSERT_TRUE(board_->StartMeasure(job).ok());
  EXPECT_EQ(board_->StartMeasure(job).code(), StatusCode::kInvalidArgument);
  // Waits behind the measurement, and both answers find their caller.
  const std::vector<std::uint8_t> images = RandomImages(network, 3, 5);
  const auto logits = board_->Infer(network, images);
  ASSERT_TRUE(logits.ok()) << logits.status().message();
  EXPECT_EQ(*logits, ReferenceLogits(network, images));
  const Result<Measurement> measurement = board_->FinishMeasure();
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  ExpectNumbers(*measurement, 1);
}

TEST_F(MeasureTest, RefusesInvalidNetworksBeforeSendingThem) {
  Network network = SmallNetwork(6);
  network.operations[0].output.scale.clear();
  MeasureJob job;
  job.networks = {&network};
  EXPECT_EQ(board_->Measure(job).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(board_->Infer(network, {}).status().code(), StatusCode::kInvalidArgument);
  const Network good = SmallNetwork(6);
  EXPECT_TRUE(board_->Infer(good, RandomImages(good, 1, 1)).ok());
}

TEST(GoldenOutputTest, AWrongOutputIsReportedAndNothingIsTimed) {
  const AgentKeys keys = GenerateCurveKeys();
  const RunningDaemon daemon = StartDaemon(keys);
  FleetDriver fleet({}, /*notice=*/{});
  FleetBoard board;
  board.client.board_name = "local";
  board.keys = keys;
  board.address = daemon.address;
  ASSERT_TRUE(fleet.WaitUntilReady(fleet.AddBoard(board), {}).ok());
  const Network network = SmallNetwork(7);
  MeasureJob job;
  job.networks = {&network};
  Result<JobRequest> request = MakeMeasureRequest(job, NewMeasureId());
  ASSERT_TRUE(request.ok());
  std::get<MeasureInput>(request->input).golden_logits[0][5] ^= 1;
  fleet::JobSpec spec;
  spec.request = *request;
  const Result<fleet::JobEnded> ended = fleet.Wait(fleet.Submit(spec), {});
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->result.measurement.status, MeasureStatus::kWrongOutput);
  EXPECT_TRUE(ended->result.measurement.networks.empty());
}

}  // namespace
}  // namespace bitpilot

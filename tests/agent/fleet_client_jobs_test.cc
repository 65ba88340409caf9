// Uploads, jobs and their results.
#include "agent/fleet/client_core.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "proto/phases.h"
#include "proto/validation.h"
#include "tests/agent/fleet_client_fixture.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using BodyCase = v1::Envelope::BodyCase;

TEST_F(ClientCoreTest, SendsOnlyMessagesThatPassValidation) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1, 2'500'000)});
  Step(JobSubmitted{InferRequestOf(2, 700)});
  Exchange();
  Pass(milliseconds(5000));
  Step(CloseRequested{});
  ASSERT_EQ(results_.size(), 2U);
  std::uint64_t last_id = 0;
  for (const Message& message : sent_) {
    const Status status = ValidateRequest(message);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_GT(message.envelope.request_id(), last_id);
    last_id = message.envelope.request_id();
    EncodeMessage(message);  // aborts if a limit is exceeded
  }
}

TEST_F(ClientCoreTest, UploadsInChunksAndOnlyWhatTheBoardLacks) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1, 2 * kChunkBytes + 5)});
  Exchange();
  EXPECT_EQ(CountSent(BodyCase::kArtifactChunk), 3);
  Pass(milliseconds(2000));
  Step(JobSubmitted{InferRequestOf(2, 1)});
  JobRequest again = MeasureRequestOf(1, 2 * kChunkBytes + 5);
  again.id = 3;
  std::get<MeasureInput>(again.input).measure_id = std::string(16, 'Z');
  Step(JobSubmitted{again});
  Exchange();
  EXPECT_EQ(CountSent(BodyCase::kArtifactChunk),
            4);  // one of the small file, none of the large one
}

TEST_F(ClientCoreTest, ResumesAnUploadWhereTheBoardHasIt) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1, 3 * kChunkBytes)});
  for (int i = 0; i < 3; ++i) {  // query, two chunks
    const Message message = to_board_.front();
    to_board_.clear();
    for (const Message& reply : board_.Receive(message, now_)) Step(MessageReceived{reply});
  }
  to_board_.clear();  // the third chunk is lost with the link
  board_.Reboot();
  Step(LinkDown{"cable"});
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  EXPECT_EQ(board_.num_chunk_bytes(), 3 * kChunkBytes);
  Pass(milliseconds(2000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
}

// On a slow line the link dies of its own silence before a large chunk is through.
TEST_F(ClientCoreTest, UploadsInSmallerChunksAfterALossAndInLargerOnesAgain) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1, kChunkBytes)});
  const Message query = std::exchange(to_board_, {}).front();
  for (const Message& reply : board_.Receive(query, now_)) Step(MessageReceived{reply});
  EXPECT_EQ(to_board_.front().raw.size(), kChunkBytes);
  to_board_.clear();
  Step(LinkDown{"silence"});
  Pass(milliseconds(200), /*connected=*/false);
  Step(LinkUp{});
  sent_.clear();
  Exchange();
  std::vector<std::size_t> chunks;
  for (const Message& message : sent_) {
    if (message.envelope.has_artifact_chunk()) chunks.push_back(message.raw.size());
  }
  EXPECT_EQ(chunks, (std::vector<std::size_t>{kChunkBytes / 8, kChunkBytes / 4, kChunkBytes / 2,
                                              kChunkBytes / 8}));
}

TEST_F(ClientCoreTest, SendsTheSameMeasureIdAfterAReboot) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  board_.Reboot();
  board_.WipeArtifacts();
  Step(LinkDown{"the board rebooted"});
  Pass(milliseconds(200));
  EXPECT_EQ(links_, 2);
  Step(LinkUp{});
  Exchange();
  Pass(milliseconds(2000));
  EXPECT_EQ(CountSent(BodyCase::kHello), 2);
  EXPECT_EQ(CountSent(BodyCase::kLeaseRequest), 3);  // the second in vain, for the old session
  EXPECT_EQ(CountSent(BodyCase::kMeasureRequest), 2);
  EXPECT_EQ(CountSent(BodyCase::kArtifactChunk), 2);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
  EXPECT_EQ(num_ready_, 1);
  for (const Message& message : sent_) {
    if (!message.envelope.has_measure_request()) continue;
    EXPECT_EQ(message.envelope.measure_request().measure_id(), std::string(16, 'B'));
  }
}

TEST_F(ClientCoreTest, ReportsLostAfterTwoRetries) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  for (int attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_TRUE(results_.empty());
    board_.Reboot();
    Step(LinkDown{"power cut " + std::to_string(attempt)});
    if (attempt == 3) break;
    Pass(milliseconds(5000), /*connected=*/false);
    Step(LinkUp{});
    to_board_.erase(to_board_.begin(), to_board_.end() - 1);
    Exchange();
  }
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kLost);
  EXPECT_NE(results_[0].measurement.detail.find("power cut 3"), std::string::npos);
  EXPECT_TRUE(failure_.ok());
}

TEST_F(ClientCoreTest, TakesTheNextJobAfterALostOne) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  for (int attempt = 0; attempt < 3; ++attempt) {
    board_.Reboot();
    Step(LinkDown{"power cut"});
    Pass(milliseconds(1000), /*connected=*/false);
    to_board_.clear();
    Step(LinkUp{});
    Exchange();
  }
  Step(JobSubmitted{MeasureRequestOf(2)});
  Exchange();
  Pass(milliseconds(2000));
  ASSERT_EQ(results_.size(), 2U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kLost);
  EXPECT_EQ(results_[1].measurement.status, MeasureStatus::kOk);
}

TEST_F(ClientCoreTest, AcknowledgesADuplicateResultAndDropsIt) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  now_ += milliseconds(2000);
  const std::vector<Message> result = board_.Advance(now_);
  ASSERT_EQ(result.size(), 1U);
  Step(MessageReceived{result[0]});
  Step(MessageReceived{result[0]});
  EXPECT_EQ(results_.size(), 1U);
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 2);
}

TEST_F(ClientCoreTest, AcknowledgesAResultOnlyWhenItIsRecorded) {
  records_at_once_ = false;
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  now_ += milliseconds(2000);
  const std::vector<Message> result = board_.Advance(now_);
  Step(MessageReceived{result[0]});
  Step(MessageReceived{result[0]});
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 0) << "a crash now would lose it";
  Step(ResultRecorded{std::string(16, 'B')});
  Step(ResultRecorded{std::string(16, 'B')});
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 1);
}

TEST_F(ClientCoreTest, AcknowledgesWhatWasRecordedWhileTheBoardWasAway) {
  records_at_once_ = false;
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Pass(milliseconds(2000));
  ASSERT_EQ(results_.size(), 1U);
  Step(LinkDown{"cable"});
  Step(ResultRecorded{std::string(16, 'B')});
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 0);
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 1);
}

TEST_F(ClientCoreTest, DoesNotDisturbAMeasurementWithAnAcknowledgement) {
  records_at_once_ = false;
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Pass(milliseconds(2000));
  Step(JobSubmitted{MeasureRequestOf(2)});
  Exchange();
  Step(ResultRecorded{std::string(16, 'B')});
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 0);
  Pass(milliseconds(2000));
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 1);
}

// Its board would measure for nobody otherwise, and keep the result.
TEST_F(ClientCoreTest, CancelsOnAReturningBoardWhatWasCancelledMeanwhile) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Step(LinkDown{"cable"});
  Step(JobCancelled{1});
  EXPECT_EQ(CountSent(BodyCase::kMeasureCancel), 0);
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  EXPECT_EQ(CountSent(BodyCase::kMeasureCancel), 1);
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 0) << "who asks again must not have it run again";
  Step(ResultRecorded{std::string(16, 'B')});
  EXPECT_EQ(CountSent(BodyCase::kResultAck), 1);
}

TEST_F(ClientCoreTest, DropsTheResultOfACancelledJob) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Step(JobCancelled{1});
  Exchange();
  EXPECT_EQ(CountSent(BodyCase::kMeasureCancel), 1);
  Step(JobSubmitted{MeasureRequestOf(2)});
  Pass(milliseconds(4000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].id, 2U);
  EXPECT_EQ(results_[0].measurement.networks[0].latency_median_ns,
            SimulatedBoard::LatencyOf(std::string(32, 'c')));
}

TEST_F(ClientCoreTest, GivesAResultThatWasFinishedWhileAway) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  now_ += milliseconds(800);
  board_.Advance(now_);  // finished, and the result lost on the way
  Step(LinkDown{"cable"});
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
  EXPECT_EQ(board_.max_executions(), 1);
}

TEST_F(ClientCoreTest, TurnsARefusedCandidateIntoATypedStatus) {
  Connect();
  board_.refuse_measure = "no kernel for w1a8";
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  board_.refuse_code = StatusCode::kResourceExhausted;
  Step(JobSubmitted{MeasureRequestOf(2)});
  Exchange();
  board_.refuse_code = StatusCode::kInvalidArgument;
  Step(JobSubmitted{MeasureRequestOf(3)});
  Exchange();
  ASSERT_EQ(results_.size(), 3U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kUnsupported);
  EXPECT_EQ(results_[0].measurement.detail, "no kernel for w1a8");
  EXPECT_EQ(results_[1].measurement.status, MeasureStatus::kOutOfMemory);
  EXPECT_EQ(results_[2].measurement.status, MeasureStatus::kRejected);
  EXPECT_EQ(links_, 1);
}

TEST_F(ClientCoreTest, SaysOnceThatTheBoardWaitsForItsTurn) {
  Connect();
  for (const JobId id : {1, 2}) {
    Step(JobSubmitted{MeasureRequestOf(id)});
    Exchange();
    Message waits;
    waits.envelope.mutable_measure_progress()->set_measure_id(
        std::string(16, static_cast<char>('A' + id)));
    waits.envelope.mutable_measure_progress()->set_phase(kTurnPhase);
    for (int i = 0; i < 3; ++i) Step(MessageReceived{waits});
    Pass(milliseconds(5000));
  }
  ASSERT_EQ(results_.size(), 2U);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_EQ(notices_[0],
            "board 'bench' at tcp://192.0.2.7:7777 waits for its turn: another daemon of this "
            "machine measures");
}

TEST_F(ClientCoreTest, AsksABusyBoardAgain) {
  Connect();
  board_.refuse_measure = "busy";
  board_.refuse_code = StatusCode::kUnavailable;
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Pass(milliseconds(1000));
  EXPECT_GE(CountSent(BodyCase::kMeasureRequest), 3);
  board_.refuse_measure.clear();
  Pass(milliseconds(2000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
}

TEST_F(ClientCoreTest, GivesUpOnABoardThatForgetsTheNetworkAgainAndAgain) {
  Connect();
  board_.refuse_measure = "unknown network";
  board_.refuse_code = StatusCode::kNotFound;
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kLost);
}

TEST_F(ClientCoreTest, SplitsImagesAndPutsLogitsTogetherInOrder) {
  Connect();
  JobRequest request = InferRequestOf(1, 1000);
  auto& pixels = std::get<InferInput>(request.input).pixels;
  for (std::size_t i = 0; i < 1000; ++i) {
    pixels[4 * i] = static_cast<char>(i);
    pixels[4 * i + 1] = static_cast<char>(i >> 8);
  }
  Step(JobSubmitted{request});
  Exchange();
  EXPECT_EQ(CountSent(BodyCase::kInferRequest), 4);
  ASSERT_EQ(results_.size(), 1U);
  ASSERT_EQ(results_[0].logits.size(), 1000U);
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(results_[0].logits[i], SimulatedBoard::LogitsOf(pixels.substr(4 * i, 4)));
  }
}

TEST_F(ClientCoreTest, ReportsInvalidNumbersAsAProtocolError) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  now_ += milliseconds(2000);
  Message result = board_.Advance(now_).front();
  v1::NetworkMeasurement* network = result.envelope.mutable_measure_result()->mutable_networks(0);
  network->set_latency_median_ns(std::numeric_limits<double>::quiet_NaN());
  Step(MessageReceived{result});
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kProtocolError);
  EXPECT_TRUE(results_[0].measurement.networks.empty());
}

TEST_F(ClientCoreTest, ReportsNumbersOfAnotherNetworkAsAProtocolError) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  now_ += milliseconds(2000);
  Message result = board_.Advance(now_).front();
  result.envelope.mutable_measure_result()->mutable_networks(0)->set_network_sha256(
      std::string(32, 'z'));
  Step(MessageReceived{result});
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kProtocolError);
}

}  // namespace
}  // namespace bitpilot

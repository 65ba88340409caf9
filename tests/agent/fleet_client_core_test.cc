#include "agent/fleet/client_core.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/validation.h"
#include "tests/agent/fleet_simulated_board.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using BodyCase = v1::Envelope::BodyCase;

JobRequest MeasureRequestOf(JobId id, std::size_t file_bytes = 100) {
  JobRequest request;
  request.id = id;
  request.artifacts.push_back({std::string(32, static_cast<char>('a' + id)),
                               std::make_shared<const std::string>(file_bytes, 'x')});
  MeasureInput input;
  input.measure_id = std::string(16, static_cast<char>('A' + id));
  input.golden_pixels = "pixels";
  input.golden_logits = {"abcd"};
  input.num_operations = {3};
  request.input = input;
  return request;
}

JobRequest InferRequestOf(JobId id, std::size_t num_images) {
  JobRequest request = MeasureRequestOf(id);
  InferInput input;
  input.image_bytes = SimulatedBoard::kImageBytes;
  input.num_classes = SimulatedBoard::kNumClasses;
  input.pixels.assign(num_images * input.image_bytes, 'p');
  request.input = input;
  return request;
}

ClientOptions TestOptions() {
  ClientOptions options;
  options.board_name = "bench";
  options.endpoint = "tcp://192.0.2.7:7777";
  options.holder = "a test";
  options.connect_timeout = milliseconds(5000);
  options.reconnect_timeout = milliseconds(60'000);
  return options;
}

// ClientCore with a SimulatedBoard at the end of a perfect wire, unless the test cuts it.
class ClientCoreTest : public testing::Test {
 protected:
  void Use(const ClientOptions& options) { core_ = std::make_unique<ClientCore>(options); }

  void Step(Event event) {
    for (Action& action : core_->Step(std::move(event), now_)) {
      if (std::holds_alternative<OpenLink>(action)) {
        ++links_;
      } else if (auto* send = std::get_if<SendMessage>(&action)) {
        sent_.push_back(send->message);
        to_board_.push_back(std::move(send->message));
      } else if (auto* finished = std::get_if<JobFinished>(&action)) {
        results_.push_back(std::move(finished->result));
      } else if (auto* failed = std::get_if<BoardFailed>(&action)) {
        failure_ = failed->status;
      } else if (std::holds_alternative<BoardReady>(action)) {
        ++num_ready_;
      } else if (std::holds_alternative<Closed>(action)) {
        closed_ = true;
      }
    }
  }

  // Carries messages both ways until nothing moves.
  void Exchange() {
    while (!to_board_.empty()) {
      const std::vector<Message> messages = std::exchange(to_board_, {});
      for (const Message& message : messages) {
        for (const Message& reply : board_.Receive(message, now_)) Step(MessageReceived{reply});
      }
    }
  }

  void Connect() {
    Step(Started{});
    Step(LinkUp{});
    Exchange();
    ASSERT_EQ(num_ready_, 1);
  }

  // Passes time, with the wire connected or silent.
  void Pass(milliseconds time, bool connected = true) {
    const Instant end = now_ + time;
    while (now_ < end) {
      now_ += milliseconds(50);
      if (connected) {
        for (const Message& message : board_.Advance(now_)) Step(MessageReceived{message});
      }
      Step(TimePassed{});
      if (connected) Exchange();
    }
  }

  int CountSent(BodyCase body) const {
    return static_cast<int>(std::count_if(sent_.begin(), sent_.end(), [&](const Message& message) {
      return message.envelope.body_case() == body;
    }));
  }

  SimulatedBoard board_;
  std::unique_ptr<ClientCore> core_ = std::make_unique<ClientCore>(TestOptions());
  Instant now_{1'000'000};
  std::vector<Message> sent_;
  std::vector<Message> to_board_;
  std::vector<JobResult> results_;
  Status failure_;
  int links_ = 0;
  int num_ready_ = 0;
  bool closed_ = false;
};

TEST_F(ClientCoreTest, SaysHelloThenTakesTheLease) {
  Connect();
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_TRUE(sent_[0].envelope.has_hello());
  EXPECT_TRUE(sent_[0].envelope.session_id().empty());
  EXPECT_TRUE(sent_[1].envelope.has_lease_request());
  EXPECT_EQ(sent_[1].envelope.lease_request().holder(), "a test");
  EXPECT_EQ(sent_[1].envelope.session_id().size(), 16U);
}

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

TEST_F(ClientCoreTest, PingsEveryTwoSecondsAndLosesABoardThatDoesNotAnswerFive) {
  Connect();
  Pass(milliseconds(10'000));
  EXPECT_EQ(CountSent(BodyCase::kPing), 5);
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(9900), /*connected=*/false);
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(2500), /*connected=*/false);
  EXPECT_GE(links_, 2);
}

TEST_F(ClientCoreTest, IsSilentWhileTheBoardMeasures) {
  board_.eta_ms = 30'000;
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Pass(milliseconds(29'900));
  EXPECT_EQ(CountSent(BodyCase::kPing), 0);
  Pass(milliseconds(5000));
  EXPECT_EQ(results_.size(), 1U);
  EXPECT_GE(CountSent(BodyCase::kPing), 1);
  EXPECT_EQ(links_, 1);
}

TEST_F(ClientCoreTest, EndsASilentMeasurementAfterThreeTimesTheAnnouncedTime) {
  board_.eta_ms = 10'000;
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Pass(milliseconds(29'900), /*connected=*/false);
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(1000), /*connected=*/false);
  EXPECT_GE(links_, 2);
}

TEST_F(ClientCoreTest, WaitsLongerForAMeasurementThatAdvances) {
  board_.eta_ms = 1000;
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Message progress;
  progress.envelope.mutable_measure_progress()->set_measure_id(std::string(16, 'B'));
  for (int i = 0; i < 59; ++i) {
    Pass(milliseconds(10'000), /*connected=*/false);
    Step(MessageReceived{progress});
  }
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(11'000), /*connected=*/false);  // 600 s and a little are too long
  EXPECT_GE(links_, 2);
}

TEST_F(ClientCoreTest, TakesUpItsSessionAgainAfterALostLink) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Step(LinkDown{"cable"});
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  Pass(milliseconds(2000));
  EXPECT_EQ(CountSent(BodyCase::kHello), 1);
  EXPECT_EQ(CountSent(BodyCase::kLeaseRequest), 2);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
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

TEST_F(ClientCoreTest, NamesWhoHoldsTheLease) {
  board_.held_by = "the night shift";
  Step(Started{});
  Step(LinkUp{});
  Exchange();
  EXPECT_EQ(failure_.code(), StatusCode::kUnavailable);
  EXPECT_NE(failure_.message().find("the night shift"), std::string::npos);
}

TEST_F(ClientCoreTest, WaitsForAHeldLeaseIfAskedTo) {
  ClientOptions options = TestOptions();
  options.lease_wait = milliseconds(20'000);
  Use(options);
  board_.held_by = "the night shift";
  Step(Started{});
  Step(LinkUp{});
  Exchange();
  Pass(milliseconds(10'000));
  EXPECT_TRUE(failure_.ok());
  EXPECT_EQ(num_ready_, 0);
  board_.held_by.clear();
  Pass(milliseconds(1000));
  EXPECT_EQ(num_ready_, 1);
}

TEST_F(ClientCoreTest, SaysWhenNobodyAnswers) {
  Step(Started{});
  while (now_ < Instant(1'006'000) && failure_.ok()) {
    Step(LinkDown{"nothing accepts connections there"});
    Pass(milliseconds(100), /*connected=*/false);
  }
  EXPECT_EQ(failure_.code(), StatusCode::kUnavailable);
  EXPECT_NE(failure_.message().find("tcp://192.0.2.7:7777"), std::string::npos);
  EXPECT_NE(failure_.message().find("nothing accepts connections"), std::string::npos);
  EXPECT_GE(links_, 4);
  EXPECT_FALSE(core_->NextWakeup().has_value());
}

TEST_F(ClientCoreTest, StopsAtOnceWhenTheDaemonRefusesTheKey) {
  Step(Started{});
  Step(LinkRefused{true});
  EXPECT_EQ(failure_.code(), StatusCode::kPermissionDenied);
  EXPECT_NE(failure_.message().find("agent.pub"), std::string::npos);
}

TEST_F(ClientCoreTest, TriesABrokenHandshakeThreeTimes) {
  Step(Started{});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(failure_.ok());
    Step(LinkRefused{false});
    Pass(milliseconds(1000), /*connected=*/false);
  }
  EXPECT_EQ(failure_.code(), StatusCode::kPermissionDenied);
  EXPECT_NE(failure_.message().find("public key"), std::string::npos);
}

TEST_F(ClientCoreTest, RefusesAnotherProtocolVersion) {
  Step(Started{});
  Step(LinkUp{});
  Message reply = board_.Receive(to_board_.front(), now_).front();
  reply.envelope.mutable_hello_ack()->set_protocol_major(2);
  Step(MessageReceived{reply});
  EXPECT_EQ(failure_.code(), StatusCode::kVersionMismatch);
}

TEST_F(ClientCoreTest, RefusesABoardThatComesBackAsAnother) {
  Connect();
  board_.Reboot();
  board_.isa = "scalar";
  Step(LinkDown{"rebooted"});
  Pass(milliseconds(200));
  Step(LinkUp{});
  Exchange();
  EXPECT_EQ(failure_.code(), StatusCode::kVersionMismatch);
  EXPECT_NE(failure_.message().find("isa is scalar, was avx2"), std::string::npos);
}

TEST_F(ClientCoreTest, FailsAllWorkWhenTheBoardStaysAway) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Step(JobSubmitted{InferRequestOf(2, 3)});
  Step(LinkDown{"cable"});
  Pass(milliseconds(61'000), /*connected=*/false);
  EXPECT_EQ(failure_.code(), StatusCode::kUnavailable);
  ASSERT_EQ(results_.size(), 2U);
  EXPECT_EQ(results_[0].status.code(), StatusCode::kUnavailable);
  Step(JobSubmitted{InferRequestOf(3, 3)});
  ASSERT_EQ(results_.size(), 3U);
  EXPECT_EQ(results_[2].status.code(), StatusCode::kUnavailable);
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

TEST_F(ClientCoreTest, TakesALeaseAgainAfterItsOwnRanOut) {
  Connect();
  board_.Reboot();  // the board forgets session and lease, the link does not break
  Pass(milliseconds(2500));
  EXPECT_EQ(links_, 2);
  Step(LinkUp{});
  Exchange();
  Step(JobSubmitted{InferRequestOf(1, 1)});
  Exchange();
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_TRUE(results_[0].status.ok()) << results_[0].status.message();
}

TEST_F(ClientCoreTest, GivesTheLeaseBackWhenClosed) {
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Step(CloseRequested{});
  Exchange();
  EXPECT_EQ(CountSent(BodyCase::kMeasureCancel), 1);
  EXPECT_EQ(CountSent(BodyCase::kLeaseRelease), 1);
  EXPECT_TRUE(closed_);
}

TEST_F(ClientCoreTest, ClosesWithoutAnAnswerToo) {
  Connect();
  Step(CloseRequested{});
  EXPECT_FALSE(closed_);
  Pass(milliseconds(600), /*connected=*/false);
  EXPECT_TRUE(closed_);
}

TEST_F(ClientCoreTest, IgnoresStrayMessagesInEveryPhase) {
  Message pong;
  pong.envelope.mutable_pong();
  Message grant;
  grant.envelope.mutable_lease_grant()->set_epoch(9);
  Message status;
  status.envelope.mutable_artifact_status()->set_sha256(std::string(32, 'q'));
  status.envelope.set_request_id(77);
  const auto inject = [&] {
    for (const Message& message : {pong, grant, status}) Step(MessageReceived{message});
  };
  Step(Started{});
  inject();
  Step(LinkUp{});
  inject();
  Exchange();
  inject();
  Step(JobSubmitted{MeasureRequestOf(1)});
  inject();
  Exchange();
  inject();
  Pass(milliseconds(1000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
  EXPECT_EQ(links_, 1);
}

}  // namespace
}  // namespace bitpilot

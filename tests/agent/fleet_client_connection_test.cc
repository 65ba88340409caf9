// Links, sessions and leases: how a client finds its board, and what it does when it loses it.
#include "agent/fleet/client_core.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/agent/fleet_client_fixture.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using BodyCase = v1::Envelope::BodyCase;

TEST_F(ClientCoreTest, SaysHelloThenTakesTheLease) {
  Connect();
  ASSERT_EQ(sent_.size(), 2U);
  EXPECT_TRUE(sent_[0].envelope.has_hello());
  EXPECT_TRUE(sent_[0].envelope.session_id().empty());
  EXPECT_TRUE(sent_[1].envelope.has_lease_request());
  EXPECT_EQ(sent_[1].envelope.lease_request().holder(), "a test");
  EXPECT_EQ(sent_[1].envelope.session_id().size(), 16U);
}

TEST_F(ClientCoreTest, F7PingsEveryTwoSecondsAndLosesABoardThatDoesNotAnswerFive) {
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
  for (int i = 0; i < 200; ++i) {
    Pass(milliseconds(10'000), /*connected=*/false);
    Step(MessageReceived{progress});
  }
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(16'000), /*connected=*/false);  // silence is another matter
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

// A board that stores a lease's epoch slowly: in another session it would wait for itself.
TEST_F(ClientCoreTest, AsksInTheSameSessionAgainWhenItsFirstLeaseIsNotAnswered) {
  ClientOptions options = TestOptions();
  options.connect_timeout = milliseconds(60'000);
  Use(options);
  Step(Started{});
  Step(LinkUp{});
  const std::vector<Message> hello = std::exchange(to_board_, {});
  ASSERT_EQ(hello.size(), 1U);
  for (const Message& reply : board_.Receive(hello[0], now_)) Step(MessageReceived{reply});
  for (const Message& request : std::exchange(to_board_, {})) {
    static_cast<void>(board_.Receive(request, now_));  // granted, but the answer gets lost
  }
  Pass(milliseconds(8000), /*connected=*/false);
  EXPECT_GE(links_, 2);
  Step(LinkUp{});
  Exchange();
  EXPECT_EQ(num_ready_, 1);
  EXPECT_EQ(CountSent(BodyCase::kHello), 1);
  EXPECT_EQ(CountSent(BodyCase::kLeaseRequest), 2);
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
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_EQ(notices_[0],
            "board 'bench' at tcp://192.0.2.7:7777 is leased to another agent, 'the night shift': "
            "waiting up to 17 s for it");
  board_.held_by.clear();
  Pass(milliseconds(1000));
  EXPECT_EQ(num_ready_, 1);
  ASSERT_EQ(notices_.size(), 2U);
  EXPECT_TRUE(notices_[1].starts_with("board 'bench' at tcp://192.0.2.7:7777 is free after 1"));
}

TEST_F(ClientCoreTest, TellsWhoeverWaitsOfALostBoardAndOfItsReturn) {
  Connect();
  Step(LinkDown{"the peer closed the connection"});
  Pass(milliseconds(2950), /*connected=*/false);
  EXPECT_EQ(notices_.size(), 0U);
  Pass(milliseconds(50), /*connected=*/false);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_TRUE(notices_[0].starts_with("board 'bench' at tcp://192.0.2.7:7777 does not answer ("));
  EXPECT_TRUE(notices_[0].ends_with("): waiting up to 57 s for it")) << notices_[0];
  Pass(milliseconds(20'000), /*connected=*/false);
  EXPECT_EQ(notices_.size(), 1U);
  while (notices_.size() < 2 && now_ < Instant(1'060'000)) {
    Step(LinkUp{});
    Pass(milliseconds(50));
  }
  ASSERT_EQ(notices_.size(), 2U);
  EXPECT_TRUE(notices_[1].starts_with("board 'bench' at tcp://192.0.2.7:7777 is back after 2"));
  EXPECT_TRUE(failure_.ok());
}

TEST_F(ClientCoreTest, TellsOfEachLossThatLastsAndOfNoShortOne) {
  Connect();
  for (int loss = 0; loss < 3; ++loss) {
    Step(LinkDown{"a short loss"});
    Pass(milliseconds(200), /*connected=*/false);
    Step(LinkUp{});
    Pass(milliseconds(5000));
  }
  EXPECT_EQ(notices_.size(), 0U);
  for (int loss = 1; loss <= 2; ++loss) {
    Step(LinkDown{"a loss that lasts"});
    Pass(milliseconds(4000), /*connected=*/false);
    EXPECT_EQ(notices_.size(), 2U * loss - 1);
    for (int i = 0; i < 200; ++i) {
      Step(LinkUp{});
      Pass(milliseconds(50));
    }
    EXPECT_EQ(notices_.size(), 2U * loss);
  }
}

TEST_F(ClientCoreTest, WakesUpInTimeToTellOfALostBoard) {
  Connect();
  Step(LinkDown{"the peer closed the connection"});
  const Instant lost = now_;
  while (notices_.empty() && core_->NextWakeup().has_value()) {
    now_ = *core_->NextWakeup();
    Step(TimePassed{});
  }
  EXPECT_EQ(now_ - lost, milliseconds(3000));
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

// A slow name service is no silent board.
TEST_F(ClientCoreTest, GivesALinkItsTimeOnceTheBoardsAddressIsKnown) {
  ClientOptions options = TestOptions();
  options.connect_timeout = kForever;
  Use(options);
  Step(Started{});
  Step(LinkLocating{});
  Pass(milliseconds(30'000), /*connected=*/false);
  EXPECT_EQ(links_, 1);
  Step(LinkLocated{});
  Pass(milliseconds(1900), /*connected=*/false);
  EXPECT_EQ(links_, 1);
  Pass(milliseconds(400), /*connected=*/false);
  EXPECT_EQ(links_, 2);
  // Nobody answers at all.
  Step(LinkLocating{});
  Pass(milliseconds(59'000), /*connected=*/false);
  EXPECT_EQ(links_, 2);
  Pass(milliseconds(2000), /*connected=*/false);
  EXPECT_EQ(links_, 3);
  Step(LinkLocating{});
  Step(LinkLocated{});
  Step(LinkUp{});
  Exchange();
  EXPECT_EQ(num_ready_, 1);
}

TEST_F(ClientCoreTest, SaysThatABoardIsStillLookedUp) {
  Step(Started{});
  Step(LinkLocating{});
  Pass(milliseconds(5000), /*connected=*/false);
  EXPECT_EQ(failure_.code(), StatusCode::kUnavailable);
  EXPECT_NE(failure_.message().find("looked up"), std::string::npos) << failure_.message();
}

TEST_F(ClientCoreTest, StopsAtOnceWhenTheDaemonRefusesTheKey) {
  Step(Started{});
  Step(LinkRefused{true});
  EXPECT_EQ(failure_.code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(failure_.message().ends_with(" KEY-OF-AGENT")) << failure_.message();
}

TEST_F(ClientCoreTest, TakesABrokenHandshakeForAWrongKeyWhenTheTimeToConnectIsOver) {
  Step(Started{});
  const Instant begun = now_;
  while (failure_.ok() && now_ < begun + milliseconds(10'000)) {
    Step(LinkRefused{false});
    Pass(milliseconds(50), /*connected=*/false);
  }
  EXPECT_EQ(now_ - begun, milliseconds(5'000));
  EXPECT_GE(links_, 4);
  EXPECT_EQ(failure_.code(), StatusCode::kPermissionDenied);
  EXPECT_NE(failure_.message().find("public key"), std::string::npos);
}

// A forwarded port takes connections and closes them as long as nobody is behind it.
TEST_F(ClientCoreTest, GoesOnAfterManyBrokenHandshakesOfABoardThatStarts) {
  ClientOptions options = TestOptions();
  options.connect_timeout = milliseconds(20'000);
  Use(options);
  Step(Started{});
  for (int i = 0; i < 80; ++i) {
    Step(LinkRefused{false});
    Pass(milliseconds(50), /*connected=*/false);
  }
  for (int i = 0; i < 200 && num_ready_ == 0; ++i) {
    Step(LinkUp{});
    Pass(milliseconds(50));
  }
  EXPECT_EQ(num_ready_, 1);
  EXPECT_TRUE(failure_.ok()) << failure_.message();
}

TEST_F(ClientCoreTest, WaitsForABoardThatWasReadyThroughBrokenHandshakes) {
  Connect();
  Step(LinkDown{"rebooted"});
  for (int i = 0; i < 1'000; ++i) {
    Step(LinkRefused{false});
    Pass(milliseconds(50), /*connected=*/false);
  }
  EXPECT_TRUE(failure_.ok()) << failure_.message();
  for (int i = 0; i < 150; ++i) {
    Step(LinkUp{});
    Pass(milliseconds(50));
  }
  Step(JobSubmitted{InferRequestOf(1, 1)});
  Exchange();
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_TRUE(results_[0].status.ok());
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

TEST_F(ClientCoreTest, TellsWhatABoardIsLikeThatComesBackWithAnotherGovernor) {
  Connect();
  const auto come_back = [&] {
    board_.Reboot();
    Step(LinkDown{"rebooted"});
    Pass(milliseconds(200));
    Step(LinkUp{});
    Exchange();
  };
  come_back();
  EXPECT_EQ(num_ready_, 1) << "it is as before";
  board_.governor = "powersave";
  come_back();
  EXPECT_EQ(num_ready_, 2);
  EXPECT_EQ(info_.governor, "powersave");
  come_back();
  EXPECT_EQ(num_ready_, 2);
  EXPECT_TRUE(failure_.ok());
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

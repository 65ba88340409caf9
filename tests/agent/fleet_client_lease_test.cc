// Leases of one job at a time: what a client asks for, and how it waits for other agents' jobs.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "agent/fleet/client_core.h"
#include "proto/phases.h"
#include "tests/agent/fleet_client_fixture.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using BodyCase = v1::Envelope::BodyCase;

class ClientLeaseTest : public ClientCoreTest {
 protected:
  void UsePerJob(int priority) {
    ClientOptions options = TestOptions();
    options.lease = {LeaseKind::kPerJob, priority};
    Use(options);
  }

  v1::LeaseRequest AskedLease() const { return sent_.at(1).envelope.lease_request(); }
};

TEST_F(ClientLeaseTest, ReservesTheBoardUnlessToldOtherwise) {
  Connect();
  EXPECT_EQ(AskedLease().kind(), v1::LeaseRequest::RESERVATION);
  EXPECT_EQ(AskedLease().priority(), 0);
  EXPECT_TRUE(core_->has_reservation());
}

TEST_F(ClientLeaseTest, AsksForALeasePerJobWithItsPriority) {
  UsePerJob(/*priority=*/-3);
  Connect();
  EXPECT_EQ(AskedLease().kind(), v1::LeaseRequest::PER_JOB);
  EXPECT_EQ(AskedLease().priority(), -3);
  EXPECT_FALSE(core_->has_reservation());
}

// Its messages are those of before, and what it grants is a reservation.
TEST_F(ClientLeaseTest, AsksAnOlderDaemonAsEver) {
  board_.protocol_minor = 2;
  UsePerJob(/*priority=*/5);
  Connect();
  EXPECT_EQ(AskedLease().kind(), v1::LeaseRequest::KIND_UNSPECIFIED);
  EXPECT_EQ(AskedLease().priority(), 0);
  EXPECT_TRUE(core_->has_reservation());
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Pass(milliseconds(1000));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].measurement.status, MeasureStatus::kOk);
}

TEST_F(ClientLeaseTest, WaitsLongerForAJobBehindOthersAndSaysSoOnce) {
  board_.queue_position = 2;
  board_.eta_ms = 1000;
  UsePerJob(/*priority=*/0);
  Connect();
  Step(JobSubmitted{MeasureRequestOf(1)});
  Exchange();
  Pass(milliseconds(kQueueSilenceMs), /*connected=*/false);
  EXPECT_EQ(links_, 1);
  Message progress;
  progress.envelope.mutable_measure_progress()->set_measure_id(std::string(16, 'B'));
  progress.envelope.mutable_measure_progress()->set_phase(kQueuePhase);
  progress.envelope.mutable_measure_progress()->set_silence_ms(kQueueSilenceMs);
  progress.envelope.mutable_measure_progress()->set_queue_position(1);
  Step(MessageReceived{progress});
  Pass(milliseconds(kQueueSilenceMs), /*connected=*/false);
  EXPECT_EQ(links_, 1);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_NE(notices_[0].find("works for other agents: 2 jobs before this one"), std::string::npos)
      << notices_[0];
  Pass(milliseconds(10'000), /*connected=*/false);
  EXPECT_GE(links_, 2);  // but not for ever
}

TEST_F(ClientLeaseTest, WaitsForAnInferenceAsLongAsTheBoardSaysThatItIsQueued) {
  UsePerJob(/*priority=*/0);
  board_.infer_takes = milliseconds(10'000'000);
  Connect();
  Step(JobSubmitted{InferRequestOf(1, 1)});
  Exchange();
  Message pong;
  pong.envelope.mutable_pong()->set_state("QUEUED");
  for (int i = 0; i < 30; ++i) {
    Pass(milliseconds(2'000), /*connected=*/false);
    Step(MessageReceived{pong});
  }
  EXPECT_EQ(links_, 1);
}

TEST_F(ClientLeaseTest, GivesUpItsPlaceWhenItIsClosedWhileAnotherAgentHasTheBoard) {
  ClientOptions options = TestOptions();
  options.lease_wait = kForever;
  Use(options);
  board_.held_by = "the night shift";
  Step(Started{});
  Step(LinkUp{});
  Exchange();
  Step(CloseRequested{});
  EXPECT_EQ(CountSent(BodyCase::kLeaseRelease), 1);
  Pass(milliseconds(600), /*connected=*/false);
  EXPECT_TRUE(closed_);
}

TEST_F(ClientLeaseTest, SaysOnceWhoseReservationItsJobsWaitFor) {
  board_.reserved_by = "the night shift";
  UsePerJob(/*priority=*/0);
  Connect();
  Step(LinkDown{"cable"});
  Pass(milliseconds(1000), /*connected=*/false);
  Step(LinkUp{});
  Exchange();
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_EQ(notices_[0],
            "board 'bench' at tcp://192.0.2.7:7777 is reserved by the night shift: jobs wait until "
            "that one gives it back");
}

// What a board says when it gives no lease, and what to do about it.
struct Denial {
  v1::LeaseDenied denied;
  StatusCode code = StatusCode::kUnavailable;
  std::string said;
};

Denial DenialOf(v1::LeaseDenied::Reason reason, const std::string& holder,
                const std::string& detail, std::uint32_t queue_position, StatusCode code,
                const std::string& said) {
  v1::LeaseDenied denied;
  denied.set_reason(reason);
  denied.set_holder(holder);
  denied.set_detail(detail);
  denied.set_queue_position(queue_position);
  return {denied, code, said};
}

TEST_F(ClientLeaseTest, EveryDenialHasAMessageOfItsOwn) {
  const std::string board = "board 'bench' at tcp://192.0.2.7:7777 ";
  constexpr StatusCode kUnavailable = StatusCode::kUnavailable;
  const Denial denials[] = {
      DenialOf(v1::LeaseDenied::HELD, "the night shift", "", 1, kUnavailable,
               "is leased to another agent, 'the night shift': try again when that one has ended"),
      DenialOf(v1::LeaseDenied::HELD, "the night shift", "", 3, kUnavailable,
               "is leased to another agent, 'the night shift' (this one is number 3 of its queue): "
               "try again when that one has ended"),
      DenialOf(v1::LeaseDenied::HELD, "", "", 0, kUnavailable,
               "works for other agents: try again when that one has ended"),
      DenialOf(v1::LeaseDenied::DRAINING, "", "new fan", 0, kUnavailable,
               "is drained: new fan: `bitpilot fleet undrain bench` ends that"),
      DenialOf(v1::LeaseDenied::DRAINING, "", "quarantined: slow", 0, kUnavailable,
               "is quarantined: slow: `bitpilot fleet release bench` ends that"),
      DenialOf(v1::LeaseDenied::DRAINING, "", "", 0, kUnavailable,
               "takes no new work: its bitpilotd ends, or an operator drained it"),
      DenialOf(v1::LeaseDenied::UNAUTHORISED, "", "observers only look", 0,
               StatusCode::kPermissionDenied,
               "does not lease itself to this agent's key: observers only look: its line in the "
               "board's authorized_agents must say agent or admin"),
      DenialOf(static_cast<v1::LeaseDenied::Reason>(77), "", "full moon", 0, kUnavailable,
               "refused its lease (reason 77: full moon): its bitpilotd may be newer than this "
               "agent: install matching builds"),
  };
  for (const Denial& denial : denials) {
    Use(TestOptions());
    board_ = SimulatedBoard();
    board_.denial = denial.denied;
    failure_ = Status();
    Step(Started{});
    Step(LinkUp{});
    Exchange();
    EXPECT_EQ(failure_.code(), denial.code) << denial.said;
    EXPECT_EQ(failure_.message(), board + denial.said);
  }
}

// A board that is drained while an agent has it.
TEST_F(ClientLeaseTest, WaitsForABoardThatIsDrainedMeanwhileAndSaysWhy) {
  Connect();
  Step(LinkDown{"cable"});
  board_.denial.emplace();
  board_.denial->set_reason(v1::LeaseDenied::DRAINING);
  board_.denial->set_detail("new fan");
  Pass(milliseconds(1000), /*connected=*/false);
  Step(LinkUp{});
  Exchange();
  Pass(milliseconds(3000));
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_TRUE(notices_[0].starts_with(
      "board 'bench' at tcp://192.0.2.7:7777 is drained: new fan: waiting up to "))
      << notices_[0];
  board_.denial.reset();
  Pass(milliseconds(3000));
  EXPECT_TRUE(core_->has_reservation());
}

}  // namespace
}  // namespace bitpilot

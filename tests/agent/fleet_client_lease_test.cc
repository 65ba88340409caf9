// Leases of one job at a time: what a client asks for, and how it waits for other agents' jobs.
#include <gtest/gtest.h>

#include <chrono>
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
    options.lease = LeaseKind::kPerJob;
    options.priority = priority;
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

}  // namespace
}  // namespace bitpilot

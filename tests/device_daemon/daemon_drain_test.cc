// Draining: what was accepted is finished, nothing new begins, and the board remembers it.
#include <gtest/gtest.h>

#include <string>

#include "tests/device_daemon/daemon_jobs_fixture.h"

namespace bitpilot::daemon {
namespace {

class DaemonDrainTest : public DaemonJobsTest {
 protected:
  DaemonDrainTest() { driver_.roles["root"] = v1::ADMIN; }

  Message Drain(bool drain, const std::string& reason = "new heat sink") {
    Message message = driver_.Request(admin_);
    message.envelope.mutable_drain_request()->set_drain(drain);
    message.envelope.mutable_drain_request()->set_reason(reason);
    return message;
  }

  v1::BoardStatus BoardNow() { return driver_.core.BoardStatusAt(driver_.now); }

  const std::string admin_ = driver_.SayHello("root");
};

TEST_F(DaemonDrainTest, FinishesWhatWasAcceptedAndTakesNothingNew) {
  const JobId first = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'b'));
  const v1::Envelope answer = CoreDriver::OnlyReply(driver_.Deliver("root", Drain(true)));
  EXPECT_TRUE(answer.board_status().draining());
  EXPECT_EQ(answer.board_status().drain_reason(), "new heat sink");
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, driver_.InferRequest(alice_))),
            StatusCode::kAborted);
  const auto done = driver_.Step(WorkerAnswered{first, CoreDriver::MeasureReply('a')});
  ASSERT_EQ(CoreDriver::Of<StartJob>(done).size(), 1U);
  EXPECT_EQ(ResultIn(driver_.Step(WorkerAnswered{CoreDriver::Of<StartJob>(done)[0].job,
                                                 CoreDriver::MeasureReply('b')}))
                .status(),
            v1::OK);
  EXPECT_EQ(BoardNow().state(), "DRAINING");
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'c'))),
            StatusCode::kAborted);
}

TEST_F(DaemonDrainTest, TellsWhoAsksForALeaseWhy) {
  driver_.Deliver("root", Drain(true));
  const v1::LeaseDenied denied = driver_.AskForLease(kAlice, alice_).lease_denied();
  EXPECT_EQ(denied.reason(), v1::LeaseDenied::DRAINING);
  EXPECT_EQ(denied.detail(), "new heat sink");
}

TEST_F(DaemonDrainTest, StillGivesOutTheResultsThatItKeeps) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('a', 5'000.0)});
  driver_.Deliver("root", Drain(true));
  const auto asked = driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'a'));
  EXPECT_DOUBLE_EQ(ResultIn(asked).networks(0).latency_median_ns(), 5'000.0);
}

TEST_F(DaemonDrainTest, EndsTheWaitForAReservation) {
  const std::string bob = driver_.SayHello(kBob);
  Message wait = driver_.LeaseRequest(kBob, bob);
  wait.envelope.mutable_lease_request()->set_wait(true);
  driver_.Deliver(kBob, wait);
  bool told = false;
  for (const Send& send : CoreDriver::Of<Send>(driver_.Deliver("root", Drain(true)))) {
    told = told || (send.message.envelope.session_id() == bob &&
                    send.message.envelope.lease_denied().reason() == v1::LeaseDenied::DRAINING);
  }
  EXPECT_TRUE(told);
}

TEST_F(DaemonDrainTest, GrantsLeasesAgainOnceItIsUndrained) {
  driver_.Deliver("root", Drain(true));
  EXPECT_FALSE(
      CoreDriver::OnlyReply(driver_.Deliver("root", Drain(false))).board_status().draining());
  EXPECT_TRUE(driver_.AskForLease(kAlice, alice_).has_lease_grant());
}

TEST_F(DaemonDrainTest, IsDrainedAfterARestartAsBefore) {
  CoreConfig config = CoreDriver::MakeConfig(3);
  config.drain_reason = "new heat sink";
  driver_.core = DaemonCore(std::move(config));
  const std::string alice = driver_.SayHello(kAlice);
  EXPECT_EQ(driver_.AskForLease(kAlice, alice).lease_denied().detail(), "new heat sink");
}

TEST_F(DaemonDrainTest, IsNotDrainedWhereThatCouldNotBeStored) {
  const auto stores = CoreDriver::Of<StoreDrain>(driver_.core.Step(
      MessageReceived{{"route-root", "root", v1::ADMIN}, Drain(true), {}}, driver_.now));
  ASSERT_EQ(stores.size(), 1U);
  const Status full(StatusCode::kResourceExhausted, "disk full");
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Step(DrainStored{full})), StatusCode::kResourceExhausted);
  EXPECT_FALSE(BoardNow().draining());
}

}  // namespace
}  // namespace bitpilot::daemon

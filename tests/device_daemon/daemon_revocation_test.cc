// What an agent loses that is no longer authorized: DaemonCore's part of a revocation.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/device_daemon/core_driver.h"

namespace bitpilot::daemon {
namespace {

class DaemonRevocationTest : public testing::Test {
 protected:
  std::vector<Action> Authorize(const std::set<std::string>& users) {
    AgentsReplaced replaced;
    for (const std::string& user : users) replaced.roles[user] = v1::AGENT;
    return driver_.Step(replaced);
  }
  static std::vector<Send> Sent(const std::vector<Action>& actions) {
    return CoreDriver::Of<Send>(actions);
  }
  Message Ping(const std::string& session_id) {
    Message ping = driver_.Request(session_id);
    ping.envelope.mutable_ping();
    return ping;
  }

  CoreDriver driver_;
};

TEST_F(DaemonRevocationTest, EndsSessionAndLeaseSoThatTheNextAgentHasThemAtOnce) {
  const std::string alice = driver_.Connect(kAlice);
  const std::string bob = driver_.SayHello(kBob);
  EXPECT_TRUE(driver_.AskForLease(kBob, bob).has_lease_denied());
  Authorize({kBob});
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, Ping(alice))), StatusCode::kNotFound);
  EXPECT_EQ(driver_.AskForLease(kBob, bob).lease_grant().epoch(), 2U);
}

TEST_F(DaemonRevocationTest, EndsEverySessionOnceTheListIsEmpty) {
  const std::string alice = driver_.SayHello(kAlice);
  const std::string bob = driver_.Connect(kBob);
  EXPECT_EQ(CoreDriver::Of<Log>(Authorize({})).size(), 1U);
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, Ping(alice))), StatusCode::kNotFound);
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kBob, Ping(bob))), StatusCode::kNotFound);
}

TEST_F(DaemonRevocationTest, LeavesThoseAloneWhoAreStillListed) {
  const std::string alice = driver_.Connect(kAlice);
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'a'));
  EXPECT_TRUE(Authorize({kAlice, kBob}).empty());
  const auto sent = Sent(driver_.Step(WorkerAnswered{1, CoreDriver::MeasureReply('a')}));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].message.envelope.measure_result().status(), v1::OK);
}

TEST_F(DaemonRevocationTest, StopsTheRunningJobAndTellsNobodyHowItEnded) {
  for (const bool answers_first : {false, true}) {
    CoreDriver driver;
    const std::string alice = driver.Connect(kAlice);
    driver.Deliver(kAlice, driver.MeasureRequest(alice, 'a'));
    const std::vector<Action> revoked = driver.Step(AgentsReplaced{{{kBob, v1::AGENT}}});
    ASSERT_EQ(CoreDriver::Of<StopJob>(revoked).size(), 1U);
    EXPECT_EQ(CoreDriver::Of<StopJob>(revoked)[0].job, 1U);
    EXPECT_TRUE(Sent(revoked).empty());
    // The worker may have finished just before it was stopped.
    const Event end = answers_first ? Event(WorkerAnswered{1, CoreDriver::MeasureReply('a')})
                                    : Event(WorkerFailed{1, v1::CRASH, "ended by signal 15"});
    EXPECT_TRUE(Sent(driver.Step(end)).empty());
    // Not even after the agent was admitted again: the measurement is a new one.
    driver.Step(AgentsReplaced{{{kAlice, v1::AGENT}}});
    const std::string again = driver.Connect(kAlice);
    const v1::Envelope reply =
        CoreDriver::OnlyReply(driver.Deliver(kAlice, driver.MeasureRequest(again, 'a')));
    EXPECT_TRUE(reply.has_measure_accepted());
    EXPECT_FALSE(reply.measure_accepted().duplicate());
  }
}

TEST_F(DaemonRevocationTest, StartsTheNextAgentsJobWhenTheStoppedOneHasEnded) {
  const std::string alice = driver_.Connect(kAlice);
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'a'));
  Authorize({kBob});
  const std::string bob = driver_.Connect(kBob);
  driver_.Deliver(kBob, driver_.MeasureRequest(bob, 'b'));
  const auto started =
      CoreDriver::Of<StartJob>(driver_.Step(WorkerFailed{1, v1::CRASH, "ended by signal 15"}));
  ASSERT_EQ(started.size(), 1U);
  EXPECT_EQ(started[0].job, 2U);
}

// The revoked job's worker has not ended yet when its agent is back.
TEST_F(DaemonRevocationTest, RunsAMeasurementAnewWhoseRevokedJobStillRuns) {
  std::string alice = driver_.Connect(kAlice);
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'a'));
  Authorize({});
  Authorize({kAlice});
  alice = driver_.Connect(kAlice);
  const v1::Envelope reply =
      CoreDriver::OnlyReply(driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'a')));
  ASSERT_TRUE(reply.has_measure_accepted());
  EXPECT_FALSE(reply.measure_accepted().duplicate());
  const auto ended = driver_.Step(WorkerFailed{1, v1::CRASH, "ended by signal 15"});
  EXPECT_TRUE(CoreDriver::Of<Send>(ended).empty());
  EXPECT_EQ(CoreDriver::Of<StartJob>(ended).size(), 1U);
}

TEST_F(DaemonRevocationTest, DropsWaitingJobsAndFinishedResults) {
  std::string alice = driver_.Connect(kAlice);
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'a'));
  driver_.Step(WorkerAnswered{1, CoreDriver::MeasureReply('a')});
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'b'));
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'c'));
  driver_.Deliver(kAlice, driver_.InferRequest(alice));
  Authorize({});
  EXPECT_TRUE(driver_.Step(WorkerFailed{2, v1::CRASH, "ended by signal 15"}).empty());
  Authorize({kAlice});
  alice = driver_.Connect(kAlice);
  const std::vector<Action> asked = driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'a'));
  EXPECT_TRUE(CoreDriver::OnlyReply(asked).has_measure_accepted());
  EXPECT_EQ(CoreDriver::Of<StartJob>(asked).size(), 1U);
}

TEST_F(DaemonRevocationTest, GivesNoLeaseWhoseEpochWasBeingStored) {
  for (const Status& stored : {Status(), Status(StatusCode::kResourceExhausted, "disk full")}) {
    CoreDriver driver;
    const std::string alice = driver.SayHello(kAlice);
    const std::string bob = driver.SayHello(kBob);
    Message request = driver.Request(alice);
    request.envelope.mutable_lease_request()->set_ttl_ms(30'000);
    const auto stores = CoreDriver::Of<StoreEpoch>(
        driver.core.Step(MessageReceived{{"route-alice", kAlice}, request, {}}, driver.now));
    ASSERT_EQ(stores.size(), 1U);
    driver.Step(AgentsReplaced{{{kBob, v1::AGENT}}});
    Message next = driver.Request(bob);
    next.envelope.mutable_lease_request()->set_ttl_ms(30'000);
    const auto again = CoreDriver::Of<StoreEpoch>(
        driver.core.Step(MessageReceived{{"route-bob", kBob}, next, {}}, driver.now));
    ASSERT_EQ(again.size(), 1U);
    EXPECT_TRUE(driver.core.Step(EpochStored{stores[0].epoch, stored}, driver.now).empty());
    const std::vector<Action> granted =
        driver.core.Step(EpochStored{again[0].epoch, Status()}, driver.now);
    EXPECT_EQ(CoreDriver::OnlyReply(granted).lease_grant().epoch(), 2U);
  }
}

}  // namespace
}  // namespace bitpilot::daemon

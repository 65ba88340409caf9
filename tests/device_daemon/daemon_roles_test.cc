// What a key may do: observers look, administrators drain.
#include <gtest/gtest.h>

#include <string>

#include "tests/device_daemon/daemon_jobs_fixture.h"

namespace bitpilot::daemon {
namespace {

class DaemonRolesTest : public DaemonJobsTest {
 protected:
  Message Drain(const std::string& session_id) {
    Message message = driver_.Request(session_id);
    message.envelope.mutable_drain_request()->set_drain(true);
    return message;
  }
};

TEST_F(DaemonRolesTest, TellsTheRoleInHelloAck) {
  driver_.roles["olga"] = v1::OBSERVER;
  Message hello;
  hello.envelope.set_request_id(1);
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  EXPECT_EQ(CoreDriver::OnlyReply(driver_.Deliver("olga", hello)).hello_ack().role(), v1::OBSERVER);
  EXPECT_EQ(CoreDriver::OnlyReply(driver_.Deliver(kAlice, hello)).hello_ack().role(), v1::AGENT);
}

TEST_F(DaemonRolesTest, F35RefusesAnObserverThatMeasuresOrDrains) {
  driver_.roles["olga"] = v1::OBSERVER;
  const std::string olga = driver_.SayHello("olga");
  for (Message message : {driver_.LeaseRequest("olga", olga), driver_.MeasureRequest(olga, 'm'),
                          driver_.InferRequest(olga), Drain(olga)}) {
    const auto actions = driver_.Deliver("olga", message);
    EXPECT_EQ(CoreDriver::ErrorOf(actions), StatusCode::kPermissionDenied)
        << BodyName(message.envelope.body_case());
    EXPECT_TRUE(CoreDriver::Of<StartJob>(actions).empty());
  }
  EXPECT_FALSE(driver_.core.BoardStatusAt(driver_.now).draining());
}

TEST_F(DaemonRolesTest, ShowsAnObserverWhatTheBoardDoes) {
  driver_.roles["olga"] = v1::OBSERVER;
  const std::string olga = driver_.SayHello("olga");
  const JobId job = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'b'));
  driver_.now += Milliseconds{700};
  Message request = driver_.Request(olga);
  request.envelope.mutable_board_status_request();
  v1::BoardStatus board = CoreDriver::OnlyReply(driver_.Deliver("olga", request)).board_status();
  EXPECT_EQ(board.state(), "TIMING");
  EXPECT_EQ(board.holder(), "alice's study");
  EXPECT_EQ(board.sessions(), 2U);
  ASSERT_EQ(board.queue_size(), 1);
  EXPECT_EQ(board.queue(0).kind(), v1::QueueEntry::MEASUREMENT);
  EXPECT_EQ(board.queue(0).waits_ms(), 700U);
  EXPECT_FALSE(board.has_clock_mhz());
  Message reply = CoreDriver::MeasureReply('a');
  v1::Conditions& conditions = *reply.envelope.mutable_measure_result()->mutable_conditions();
  conditions.set_canary_ns(1'000.0);
  conditions.set_clock_mhz(1'450.0);
  driver_.Step(WorkerAnswered{job, reply});
  request.envelope.set_request_id(++driver_.last_request_id);
  board = CoreDriver::OnlyReply(driver_.Deliver("olga", request)).board_status();
  EXPECT_DOUBLE_EQ(board.clock_mhz(), 1'450.0);
  EXPECT_FALSE(board.has_claimed_clock_mhz());
  ASSERT_EQ(board.finished_size(), 1);
  EXPECT_EQ(board.finished(0).status(), v1::OK);
  EXPECT_EQ(board.kept_results(), 1U);
}

TEST_F(DaemonRolesTest, RefusesAnAgentThatDrains) {
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, Drain(alice_))),
            StatusCode::kPermissionDenied);
}

TEST_F(DaemonRolesTest, TakesLeaseAndJobsFromAnAgentThatBecameAnObserver) {
  Start(driver_.MeasureRequest(alice_, 'a'));
  const auto demoted = driver_.Step(AgentsReplaced{{{kAlice, v1::OBSERVER}}});
  EXPECT_EQ(CoreDriver::Of<StopJob>(demoted).size(), 1U);
  driver_.roles[kAlice] = v1::OBSERVER;
  Message ping = driver_.Request(alice_);
  ping.envelope.mutable_ping();
  EXPECT_TRUE(CoreDriver::OnlyReply(driver_.Deliver(kAlice, ping)).has_pong());  // Still a session.
  EXPECT_TRUE(CoreDriver::Of<Send>(driver_.Step(WorkerFailed{1, v1::CRASH, ""})).empty());
  EXPECT_EQ(driver_.core.BoardStatusAt(driver_.now).holder(), "");
}

}  // namespace
}  // namespace bitpilot::daemon

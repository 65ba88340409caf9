// A board that several agents share lets nobody wait for ever.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/device_daemon/daemon_queue_fixture.h"

namespace bitpilot::daemon {
namespace {

class DaemonStarvationTest : public DaemonQueueTest {};

TEST_F(DaemonStarvationTest, F10NeverLetsMoreThanSixteenLaterJobsGoFirst) {
  const std::string alice = Share(kAlice);
  const std::string urgent = Share(kBob, 9);
  const std::string more = Share("carol", 9);
  EXPECT_EQ(Ask(kBob, urgent, 'B'), 'B');
  EXPECT_EQ(Ask(kAlice, alice, 'a'), '-');
  char running = 'B';
  int overtaken = 0;
  // One urgent job waits all the time.
  for (char id = 'C'; running != 'a'; ++id) {
    ASSERT_LE(overtaken, 16);
    const bool bobs = (id - 'C') % 2 == 1;
    Ask(bobs ? std::string(kBob) : "carol", bobs ? urgent : more, id);
    running = Finish(running);
    if (running != 'a') ++overtaken;
  }
  EXPECT_EQ(overtaken, 16);
}

TEST_F(DaemonStarvationTest, F10NeverLetsMoreThanSixteenLaterReservationsGoFirst) {
  const std::string alice = Share(kAlice);
  const std::string carol = Share("carol");
  EXPECT_EQ(Ask("carol", carol, 'c'), 'c');
  EXPECT_EQ(Ask(kAlice, alice, 'a'), '-');
  const std::string bob = driver_.SayHello(kBob);
  int overtaken = 0;
  v1::Envelope reply;
  for (;;) {
    reply = CoreDriver::OnlyReply(Reserve(kBob, bob, /*wait=*/false, /*priority=*/9));
    if (!reply.has_lease_grant()) break;
    ASSERT_LE(++overtaken, 16);
    Message release = driver_.Request(bob);
    release.envelope.mutable_lease_release();
    driver_.Deliver(kBob, release);
  }
  EXPECT_EQ(overtaken, 16);
  EXPECT_EQ(reply.lease_denied().queue_position(), 2U);
  EXPECT_EQ(Finish('c'), 'a');
  EXPECT_TRUE(CoreDriver::OnlyReply(Reserve(kBob, bob, false, 9)).has_lease_grant());
}

// What its own session reserves is in no job's way.
TEST_F(DaemonStarvationTest, CountsNoReservationOfAJobsOwnSession) {
  const std::string alice = Share(kAlice);
  const std::string carol = Share("carol");
  EXPECT_EQ(Ask("carol", carol, 'c'), 'c');
  EXPECT_EQ(Ask(kAlice, alice, 'a'), '-');
  const std::string bob = Share(kBob, 8);
  EXPECT_EQ(Ask(kBob, bob, 'b'), '-');
  for (int i = 0; i < 16; ++i) {
    EXPECT_TRUE(CoreDriver::OnlyReply(Reserve(kAlice, alice, false, 9)).has_lease_grant());
    Message share = driver_.LeaseRequest(kAlice, alice);
    share.envelope.mutable_lease_request()->set_kind(v1::LeaseRequest::PER_JOB);
    EXPECT_TRUE(CoreDriver::OnlyReply(driver_.Deliver(kAlice, share)).has_lease_grant());
  }
  EXPECT_EQ(Finish('c'), 'b');
}

}  // namespace
}  // namespace bitpilot::daemon

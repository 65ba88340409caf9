// One board and several agents: leases side by side, reservations, whose turn it is.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "proto/phases.h"
#include "tests/device_daemon/daemon_queue_fixture.h"

namespace bitpilot::daemon {
namespace {

TEST_F(DaemonQueueTest, LetsAgentsHoldLeasesSideBySideUnderEpochsOfTheirOwn) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  EXPECT_NE(epochs_[alice], epochs_[bob]);
  EXPECT_EQ(Ask(kAlice, alice, 'a'), 'a');
  EXPECT_EQ(Ask(kBob, bob, 'b'), '-');
  EXPECT_EQ(Finish('a'), 'b');
}

TEST_F(DaemonQueueTest, FencesWhoUsesTheEpochOfAnother) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  epochs_[alice] = epochs_[bob];
  EXPECT_EQ(CoreDriver::ErrorOf(Measure(kAlice, alice, 'a')), StatusCode::kAborted);
}

TEST_F(DaemonQueueTest, TellsAMeasurementHowManyGoFirst) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  const std::string carol = Share("carol");
  EXPECT_EQ(CoreDriver::OnlyReply(Measure(kAlice, alice, 'a')).measure_accepted().queue_position(),
            0U);
  const auto second = CoreDriver::OnlyReply(Measure(kBob, bob, 'b')).measure_accepted();
  EXPECT_EQ(second.queue_position(), 1U);
  EXPECT_EQ(second.eta_ms(), 1'200U);  // Two times 600 ms of a SCREEN.
  const auto third = CoreDriver::OnlyReply(Measure("carol", carol, 'c')).measure_accepted();
  EXPECT_EQ(third.queue_position(), 2U);
  EXPECT_EQ(third.eta_ms(), 1'800U);
}

TEST_F(DaemonQueueTest, TellsWhoWaitsWhenAJobEndsAndEveryMinute) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  const std::string carol = Share("carol");
  Ask(kAlice, alice, 'a');
  Ask(kBob, bob, 'b');
  Ask("carol", carol, 'c');
  const auto told = [](const std::vector<Action>& actions) {
    std::map<char, std::uint32_t> positions;
    for (const Send& send : CoreDriver::Of<Send>(actions)) {
      const v1::MeasureProgress& progress = send.message.envelope.measure_progress();
      if (progress.phase() != kQueuePhase) continue;
      EXPECT_EQ(progress.silence_ms(), kQueueSilenceMs);
      positions[progress.measure_id()[0]] = progress.queue_position();
    }
    return positions;
  };
  EXPECT_TRUE(told(driver_.PassTime(Milliseconds{5'000})).empty());
  driver_.Step(WorkerProgressed{1, "timing", 1, Milliseconds{80'000}, Milliseconds{80'000}});
  EXPECT_EQ(told(driver_.PassTime(Milliseconds{55'000})),
            (std::map<char, std::uint32_t>{{'b', 1}, {'c', 2}}));
  EXPECT_EQ(told(driver_.Step(WorkerAnswered{1, CoreDriver::MeasureReply('a')})),
            (std::map<char, std::uint32_t>{{'c', 1}}));
}

TEST_F(DaemonQueueTest, SharesTheBoardFairlyBetweenUsersNotSessions) {
  const std::string alice = Share(kAlice);
  const std::string again = Share(kAlice);
  const std::string bob = Share(kBob);
  Ask(kAlice, alice, 'a');
  Ask(kAlice, again, 'b');
  Ask(kBob, bob, 'c');
  EXPECT_EQ(Finish('a'), 'c');  // Bob had nothing yet, though both of Alice's came before.
  Ask(kAlice, alice, 'd');
  EXPECT_EQ(Finish('c', Milliseconds{500}), 'b');
}

TEST_F(DaemonQueueTest, LetsHigherPrioritiesGoFirst) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  const std::string carol = Share("carol", 5);
  Ask(kAlice, alice, 'a');
  Ask(kBob, bob, 'b');
  Ask("carol", carol, 'c');
  EXPECT_EQ(Finish('a'), 'c');
  EXPECT_EQ(Finish('c'), 'b');
}

TEST_F(DaemonQueueTest, F10TellsTheSecondAgentWhoHoldsTheBoardAndItsPlace) {
  const std::string alice = driver_.Connect(kAlice);
  const std::string bob = driver_.SayHello(kBob);
  const std::string carol = driver_.SayHello("carol");
  const v1::LeaseDenied denied = CoreDriver::OnlyReply(Reserve(kBob, bob, false)).lease_denied();
  EXPECT_EQ(denied.reason(), v1::LeaseDenied::HELD);
  EXPECT_EQ(denied.holder(), "alice's study");
  EXPECT_EQ(denied.queue_position(), 1U);
  EXPECT_EQ(CoreDriver::OnlyReply(Reserve("carol", carol, false)).lease_denied().queue_position(),
            2U);
  // Who asks again keeps its place, and is served before those behind it.
  driver_.now += Milliseconds{1'000};
  EXPECT_EQ(CoreDriver::OnlyReply(Reserve(kBob, bob, false)).lease_denied().queue_position(), 1U);
  Message release = driver_.Request(alice);
  release.envelope.mutable_lease_release();
  driver_.Deliver(kAlice, release);
  EXPECT_TRUE(CoreDriver::OnlyReply(Reserve("carol", carol, false)).has_lease_denied());
  EXPECT_TRUE(CoreDriver::OnlyReply(Reserve(kBob, bob, false)).has_lease_grant());
}

TEST_F(DaemonQueueTest, ForgetsThePlaceOfWhoDoesNotAskAgain) {
  const std::string alice = driver_.Connect(kAlice);
  const std::string bob = driver_.SayHello(kBob);
  const std::string carol = driver_.SayHello("carol");
  Reserve(kBob, bob, false);
  Message release = driver_.Request(alice);
  release.envelope.mutable_lease_release();
  driver_.Deliver(kAlice, release);
  driver_.PassTime(Milliseconds{35'000});  // 30 s of Alice's lease, and five more.
  EXPECT_TRUE(CoreDriver::OnlyReply(Reserve("carol", carol, false)).has_lease_grant());
}

TEST_F(DaemonQueueTest, GrantsAReservationThatWaitsAsSoonAsItIsFree) {
  const std::string alice = driver_.Connect(kAlice);
  const std::string bob = driver_.SayHello(kBob);
  const std::string carol = driver_.SayHello("carol");
  const v1::Envelope denied = CoreDriver::OnlyReply(Reserve(kBob, bob, true));
  EXPECT_EQ(denied.lease_denied().queue_position(), 1U);
  Reserve("carol", carol, true, /*priority=*/3);
  Message release = driver_.Request(alice);
  release.envelope.mutable_lease_release();
  v1::Envelope granted;
  for (const Send& send : CoreDriver::Of<Send>(driver_.Deliver(kAlice, release))) {
    if (send.message.envelope.has_lease_grant()) granted = send.message.envelope;
  }
  EXPECT_EQ(granted.session_id(), carol);  // The higher priority.
  driver_.PassTime(Milliseconds{29'999});
  const auto expired = driver_.PassTime(Milliseconds{1});
  ASSERT_EQ(CoreDriver::Of<Send>(expired).size(), 1U);
  granted = CoreDriver::OnlyReply(expired);
  EXPECT_EQ(granted.session_id(), bob);
  EXPECT_EQ(granted.request_id(), denied.request_id());
}

TEST_F(DaemonQueueTest, BeginsNothingOfOthersWhileOneAgentHasTheBoardReserved) {
  const std::string alice = Share(kAlice);
  EXPECT_EQ(Ask(kAlice, alice, 'a'), 'a');
  const std::string bob = driver_.SayHello(kBob);
  // What runs is finished first; what waits begins after the reservation's end.
  const v1::LeaseGrant grant = CoreDriver::OnlyReply(Reserve(kBob, bob, false)).lease_grant();
  epochs_[bob] = grant.epoch();
  EXPECT_EQ(grant.kind(), v1::LeaseRequest::RESERVATION);
  EXPECT_EQ(Ask(kAlice, alice, 'b'), '-');
  EXPECT_EQ(Finish('a'), '-');
  EXPECT_EQ(Ask(kBob, bob, 'c'), 'c');
  EXPECT_EQ(Finish('c'), '-');
  const v1::BoardStatus board = driver_.core.BoardStatusAt(driver_.now);
  EXPECT_TRUE(board.reserved());
  EXPECT_EQ(board.holder(), "bob's study");
  ASSERT_EQ(board.queue_size(), 1);
  EXPECT_EQ(board.queue(0).holder(), "alice's study");
  Message release = driver_.Request(bob);
  release.envelope.mutable_lease_release();
  EXPECT_EQ(Started(driver_.Deliver(kBob, release)), 'b');
}

TEST_F(DaemonQueueTest, TellsWhoIsGrantedALeasePerJobThatTheBoardIsReserved) {
  driver_.Connect(kAlice);
  const std::string bob = driver_.SayHello(kBob);
  Message request = driver_.LeaseRequest(kBob, bob);
  request.envelope.mutable_lease_request()->set_kind(v1::LeaseRequest::PER_JOB);
  EXPECT_EQ(CoreDriver::OnlyReply(driver_.Deliver(kBob, request)).lease_grant().reserved_by(),
            "alice's study");
}

TEST_F(DaemonQueueTest, LetsJobsThatCameBeforeGoBeforeAReservation) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  Ask(kAlice, alice, 'a');
  Ask(kBob, bob, 'b');
  const std::string carol = driver_.SayHello("carol");
  const v1::LeaseDenied denied =
      CoreDriver::OnlyReply(Reserve("carol", carol, true)).lease_denied();
  EXPECT_EQ(denied.holder(), "alice's study");
  EXPECT_EQ(denied.queue_position(), 2U);
  Ask(kAlice, alice, 'c');
  const auto done = driver_.Step(WorkerAnswered{job_of_['a'], CoreDriver::MeasureReply('a')});
  EXPECT_EQ(Started(done), 'b');
  int grants = 0;
  for (const Send& send : CoreDriver::Of<Send>(done))
    grants += send.message.envelope.has_lease_grant();
  EXPECT_EQ(grants, 1);         // Nothing that came before it waits any more.
  EXPECT_EQ(Finish('b'), '-');  // What came after it does.
}

TEST_F(DaemonQueueTest, KeepsALeaseWhoseJobWaits) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  Ask(kAlice, alice, 'a');
  Ask(kBob, bob, 'b');
  for (int i = 0; i < 8; ++i) {
    driver_.now += Milliseconds{9'000};
    driver_.Step(WorkerProgressed{1, "timing", 1});
  }
  EXPECT_EQ(Finish('a', Milliseconds{1'000}), 'b');
}

// To the worker leases side by side are one: nothing that it settled within one may change.
TEST_F(DaemonQueueTest, CountsLeasesSideBySideAsOneForTheWorker) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  const auto epoch_of = [](const std::vector<Action>& actions) {
    return CoreDriver::Of<StartJob>(actions).at(0).request.envelope.lease_epoch();
  };
  EXPECT_EQ(epoch_of(Measure(kAlice, alice, 'a')), epochs_[alice]);
  Measure(kBob, bob, 'b');
  EXPECT_EQ(epoch_of(driver_.Step(WorkerAnswered{1, CoreDriver::MeasureReply('a')})),
            epochs_[alice]);
  driver_.Step(WorkerAnswered{2, CoreDriver::MeasureReply('b')});
  for (const auto& [user, session] : {std::pair<std::string, std::string>{kAlice, alice},
                                      std::pair<std::string, std::string>{kBob, bob}}) {
    Message release = driver_.Request(session);
    release.envelope.mutable_lease_release();
    driver_.Deliver(user, release);
  }
  const std::string next = Share(kBob);
  EXPECT_EQ(epoch_of(Measure(kBob, next, 'c')), epochs_[next]);
}

TEST_F(DaemonQueueTest, BoundsTheBytesThatWait) {
  const std::string large(kMaxRawBytes, 'p');
  int accepted = 0;
  StatusCode refused = StatusCode::kOk;
  for (int i = 0; i < 10 && refused == StatusCode::kOk; ++i) {
    const std::string session = Share("user " + std::to_string(i));
    for (int k = 0; k < 4 && refused == StatusCode::kOk; ++k) {
      Message request = driver_.InferRequest(session);
      request.envelope.set_lease_epoch(epochs_[session]);
      request.raw = large;
      refused = CoreDriver::ErrorOf(driver_.Deliver("user " + std::to_string(i), request));
      accepted += refused == StatusCode::kOk;
    }
  }
  EXPECT_EQ(refused, StatusCode::kUnavailable);
  EXPECT_EQ(accepted, 16);  // One runs, and less than 64 MiB of 4 MiB and an envelope wait.
}

TEST_F(DaemonQueueTest, RefusesSessionsOnlyWhenAllHoldLeases) {
  for (std::size_t i = 0; i < DaemonCore::kMaxSessions; ++i) Share(kAlice);
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kBob, hello)), StatusCode::kResourceExhausted);
  driver_.PassTime(Milliseconds{30'000});
  EXPECT_EQ(driver_.SayHello(kBob).size(), kSessionIdBytes);
}

TEST_F(DaemonQueueTest, SaysToAPingThatItsOwnJobWaits) {
  const std::string alice = Share(kAlice);
  const std::string bob = Share(kBob);
  Ask(kAlice, alice, 'a');
  Ask(kBob, bob, 'b');
  driver_.Step(WorkerProgressed{1, "timing", 1});
  const auto pong = [&](const std::string& user, const std::string& session) {
    Message ping = driver_.Request(session);
    ping.envelope.mutable_ping();
    return CoreDriver::OnlyReply(driver_.Deliver(user, ping)).pong();
  };
  EXPECT_EQ(pong(kAlice, alice).state(), "TIMING");
  EXPECT_EQ(pong(kBob, bob).state(), "QUEUED");
  EXPECT_EQ(pong(kBob, bob).worker_progress(), 1U);
  EXPECT_EQ(pong(kBob, bob).queue_length(), 1U);
}

}  // namespace
}  // namespace bitpilot::daemon

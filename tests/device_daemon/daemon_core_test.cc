// Sessions, leases, artifacts and hostile envelopes.
#include "device_daemon/core/daemon_core.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

#include "tests/device_daemon/core_driver.h"

namespace bitpilot::daemon {
namespace {

TEST(DaemonCoreTest, GivesEverySessionItsOwnId) {
  CoreDriver driver;
  const std::string first = driver.SayHello(kAlice);
  const std::string second = driver.SayHello(kAlice);
  EXPECT_EQ(first.size(), kSessionIdBytes);
  EXPECT_NE(first, second);
}

TEST(DaemonCoreTest, RefusesAnotherProtocolVersion) {
  CoreDriver driver;
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor + 1);
  hello.envelope.mutable_hello()->set_agent_build("bitpilot 9.1");
  const v1::Envelope reply = CoreDriver::OnlyReply(driver.Deliver(kAlice, hello));
  EXPECT_EQ(static_cast<StatusCode>(reply.error().code()), StatusCode::kVersionMismatch);
  EXPECT_EQ(reply.error().detail(),
            "this daemon speaks protocol version 1, the agent (bitpilot 9.1) 2");
}

// Agents ask only daemons for it that say so.
TEST(DaemonCoreTest, AnnouncesThatItMeasuresInLongerWindows) {
  CoreDriver driver;
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  const v1::Envelope reply = CoreDriver::OnlyReply(driver.Deliver(kAlice, hello));
  EXPECT_GE(reply.hello_ack().protocol_minor(), 2U);
}

TEST(DaemonCoreTest, DropsMessagesWithoutAUser) {
  CoreDriver driver;
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  EXPECT_TRUE(CoreDriver::Of<Send>(driver.Deliver("", hello)).empty());
}

TEST(DaemonCoreTest, RefusesUnknownSessionsAndThoseOfOthers) {
  CoreDriver driver;
  const std::string session = driver.SayHello(kAlice);
  Message ping = driver.Request(session);
  ping.envelope.mutable_ping();
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kBob, ping)), StatusCode::kNotFound);
  ping.envelope.set_session_id(std::string(kSessionIdBytes, 'x'));
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kAlice, ping)), StatusCode::kNotFound);
  ping.envelope.set_session_id("");
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kAlice, ping)), StatusCode::kNotFound);
}

// With kInvalidArgument its job would end as one that no board can do.
TEST(DaemonCoreTest, AnswersALateRequestOrACopyAsOneToAskAgain) {
  CoreDriver driver;
  const std::string session = driver.SayHello(kAlice);
  Message ping = driver.Request(session);
  ping.envelope.mutable_ping()->set_agent_time_ns(9);
  EXPECT_EQ(CoreDriver::OnlyReply(driver.Deliver(kAlice, ping)).pong().agent_time_ns(), 9U);
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kAlice, ping)), StatusCode::kAborted);
  ping.envelope.set_request_id(0);
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kAlice, ping)), StatusCode::kAborted);
}

TEST(DaemonCoreTest, PairsErrorsWithTheirRequest) {
  CoreDriver driver;
  const std::string session = driver.SayHello(kAlice);
  Message grant = driver.Request(session);
  grant.envelope.mutable_lease_grant();
  const v1::Envelope reply = CoreDriver::OnlyReply(driver.Deliver(kAlice, grant));
  EXPECT_EQ(reply.error().code(), static_cast<std::uint32_t>(StatusCode::kInvalidArgument));
  EXPECT_EQ(reply.request_id(), grant.envelope.request_id());
  EXPECT_EQ(reply.session_id(), session);
}

TEST(DaemonCoreTest, AnswersUnparsableFramesWithAnError) {
  CoreDriver driver;
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Step(FramesRefused{{"r", kAlice}, DataCorrupt("what")})),
            StatusCode::kDataCorrupt);
}

TEST(DaemonCoreTest, F24AnswersWhereTheLatestMessageCameFrom) {
  CoreDriver driver;
  const std::string session = driver.SayHello(kAlice);
  Message ping = driver.Request(session);
  ping.envelope.mutable_ping();
  const auto actions = driver.Step(MessageReceived{{"after reconnect", kAlice}, ping, {}});
  EXPECT_EQ(CoreDriver::Of<Send>(actions).front().routing_id, "after reconnect");
}

TEST(DaemonCoreTest, GrantsGrowingEpochsThatWereStoredFirst) {
  CoreDriver driver(/*last_epoch=*/41);
  const std::string session = driver.SayHello(kAlice);
  EXPECT_EQ(driver.AskForLease(kAlice, session).lease_grant().epoch(), 42U);
  EXPECT_EQ(driver.AskForLease(kAlice, session).lease_grant().epoch(), 43U);
  EXPECT_EQ(driver.stored_epochs, (std::vector<std::uint64_t>{42, 43}));
}

TEST(DaemonCoreTest, GrantsNothingThatCouldNotBeStored) {
  CoreDriver driver;
  const std::string session = driver.SayHello(kAlice);
  Message request = driver.Request(session);
  request.envelope.mutable_lease_request()->set_ttl_ms(30'000);
  const auto actions = driver.core.Step(MessageReceived{{"r", kAlice}, request, {}}, driver.now);
  ASSERT_EQ(CoreDriver::Of<StoreEpoch>(actions).size(), 1U);
  EXPECT_TRUE(CoreDriver::Of<Send>(actions).empty());
  const Status full(StatusCode::kResourceExhausted, "disk full");
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Step(EpochStored{1, full})), StatusCode::kResourceExhausted);
  EXPECT_TRUE(driver.AskForLease(kAlice, session).has_lease_grant());  // The disk has room again.
}

TEST(DaemonCoreTest, TellsOthersWhoHoldsTheLease) {
  CoreDriver driver;
  driver.Connect(kAlice);
  driver.now += Milliseconds{10'000};
  const std::string bob = driver.SayHello(kBob);
  const v1::LeaseDenied denied = driver.AskForLease(kBob, bob).lease_denied();
  EXPECT_EQ(denied.reason(), v1::LeaseDenied::HELD);
  EXPECT_EQ(denied.holder(), "alice's study");
  EXPECT_EQ(denied.retry_after_ms(), 20'000U);
}

TEST(DaemonCoreTest, RenewsTheLeaseWithAnyMessageOfItsHolder) {
  CoreDriver driver;
  const std::string alice = driver.Connect(kAlice);
  for (int i = 0; i < 5; ++i) {
    driver.PassTime(Milliseconds{29'999});
    Message ping = driver.Request(alice);
    ping.envelope.mutable_ping();
    EXPECT_EQ(CoreDriver::OnlyReply(driver.Deliver(kAlice, ping)).pong().state(), "LEASED");
  }
}

TEST(DaemonCoreTest, F9FencesTheOldHolderAfterExpiry) {
  CoreDriver driver;
  const std::string alice = driver.Connect(kAlice);
  Message late = driver.MeasureRequest(alice, 'm');
  EXPECT_EQ(driver.core.NextDeadline(), driver.now + Milliseconds{30'000});
  driver.PassTime(Milliseconds{30'000});
  const std::string bob = driver.SayHello(kBob);
  EXPECT_TRUE(driver.AskForLease(kBob, bob).has_lease_grant());
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kAlice, late)), StatusCode::kAborted);
}

TEST(DaemonCoreTest, RefusesWorkWithoutALeaseOrWithAnotherEpoch) {
  CoreDriver driver;
  const std::string alice = driver.Connect(kAlice);
  for (const std::uint64_t epoch :
       {std::uint64_t{0}, std::uint64_t{2}, std::numeric_limits<std::uint64_t>::max()}) {
    Message request = driver.InferRequest(alice);
    request.envelope.set_lease_epoch(epoch);
    EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kAlice, request)), StatusCode::kAborted) << epoch;
  }
  const std::string bob = driver.SayHello(kBob);
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kBob, driver.InferRequest(bob))),
            StatusCode::kAborted);
}

TEST(DaemonCoreTest, PassesOnAReleasedLeaseAtOnce) {
  CoreDriver driver;
  const std::string alice = driver.Connect(kAlice);
  Message release = driver.Request(alice);
  release.envelope.mutable_lease_release();
  EXPECT_TRUE(CoreDriver::OnlyReply(driver.Deliver(kAlice, release)).has_lease_released());
  const std::string bob = driver.SayHello(kBob);
  EXPECT_TRUE(driver.AskForLease(kBob, bob).has_lease_grant());
}

TEST(DaemonCoreTest, HandsChunksToTheStoreAndReportsItsAnswer) {
  CoreDriver driver;
  const std::string alice = driver.Connect(kAlice);
  Message chunk = driver.Request(alice);
  const std::string sha256(kSha256Bytes, 'n');
  chunk.envelope.mutable_artifact_chunk()->set_sha256(sha256);
  chunk.envelope.mutable_artifact_chunk()->set_offset(5);
  chunk.envelope.mutable_artifact_chunk()->set_crc32(Crc32("bytes"));
  chunk.raw = "bytes";
  const auto appends = CoreDriver::Of<AppendArtifact>(driver.Deliver(kAlice, chunk));
  ASSERT_EQ(appends.size(), 1U);
  EXPECT_EQ(appends[0].offset, 5U);
  EXPECT_EQ(appends[0].bytes, "bytes");
  const v1::Envelope reply = CoreDriver::OnlyReply(
      driver.Step(ArtifactAnswered{appends[0].request, ArtifactState{10, true}}));
  EXPECT_EQ(reply.artifact_status().have_bytes(), 10U);
  EXPECT_TRUE(reply.artifact_status().complete());
  EXPECT_EQ(reply.request_id(), chunk.envelope.request_id());
}

// Each is answered with the Error that belongs to it, and the next request works.
TEST(DaemonCoreTest, F32AnswersStrangeEnvelopesWithAnErrorAndGoesOn) {
  CoreDriver driver;
  const std::string alice = driver.Connect(kAlice);
  const auto error_of = [&](Message message) {
    return CoreDriver::ErrorOf(driver.Deliver(kAlice, std::move(message)));
  };
  EXPECT_EQ(error_of(driver.Request(alice)), StatusCode::kInvalidArgument);  // No body.
  Message unknown = driver.Request(alice);
  // Field 99 of the envelope, a text: a body of a later version, or a field that it knows.
  ASSERT_TRUE(
      unknown.envelope.MergeFromString("\x9A\x06\x03"
                                       "new"));
  EXPECT_EQ(error_of(unknown), StatusCode::kInvalidArgument);
  Message known = driver.Request(alice);
  known.envelope.mutable_ping();
  ASSERT_TRUE(
      known.envelope.MergeFromString("\x9A\x06\x03"
                                     "new"));
  EXPECT_EQ(error_of(known), StatusCode::kOk);
  Message tier = driver.MeasureRequest(alice, 'm');
  tier.envelope.mutable_measure_request()->mutable_spec()->set_tier(
      static_cast<v1::MeasureSpec::Tier>(77));
  EXPECT_EQ(error_of(tier), StatusCode::kInvalidArgument);
  Message session = driver.MeasureRequest(std::string(kSessionIdBytes, 'x'), 'm');
  EXPECT_EQ(error_of(session), StatusCode::kNotFound);
  Message replayed = driver.MeasureRequest(alice, 'm');
  replayed.envelope.set_request_id(2);
  EXPECT_EQ(error_of(replayed), StatusCode::kAborted);
  Message epoch = driver.MeasureRequest(alice, 'm');
  epoch.envelope.set_lease_epoch(99);
  EXPECT_EQ(error_of(epoch), StatusCode::kAborted);
  for (const char id : {'a', 'b'}) {
    Message deadline = driver.MeasureRequest(alice, id);
    deadline.envelope.set_deadline_ms(id == 'a' ? 0 : std::numeric_limits<std::uint32_t>::max());
    const auto started = CoreDriver::Of<StartJob>(driver.Deliver(kAlice, std::move(deadline)));
    ASSERT_EQ(started.size(), 1U);
    driver.Step(WorkerAnswered{started[0].job, CoreDriver::MeasureReply(id)});
  }
}

TEST(DaemonCoreTest, BoundsItsSessionsAndKeepsTheHolder) {
  CoreDriver driver;
  const std::string alice = driver.Connect(kAlice);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < 3 * DaemonCore::kMaxSessions; ++i) ids.insert(driver.SayHello(kBob));
  EXPECT_EQ(ids.size(), 3 * DaemonCore::kMaxSessions);
  Message ping = driver.Request(alice);
  ping.envelope.mutable_ping();
  EXPECT_TRUE(CoreDriver::OnlyReply(driver.Deliver(kAlice, ping)).has_pong());
  Message old = driver.Request(*ids.begin());
  old.envelope.mutable_ping();
  EXPECT_EQ(CoreDriver::ErrorOf(driver.Deliver(kBob, old)), StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitpilot::daemon

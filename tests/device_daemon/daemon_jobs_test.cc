// Inference and measurements: order, idempotence, damaged files, a worker that fails or lies.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "proto/phases.h"
#include "tests/device_daemon/daemon_jobs_fixture.h"

namespace bitpilot::daemon {
namespace {

TEST_F(DaemonJobsTest, MeasuresAndDeliversTheResult) {
  const Message request = driver_.MeasureRequest(alice_, 'm');
  const auto actions = driver_.Deliver(kAlice, request);
  EXPECT_TRUE(CoreDriver::OnlyReply(actions).has_measure_accepted());
  EXPECT_FALSE(CoreDriver::OnlyReply(actions).measure_accepted().duplicate());
  const JobId job = CoreDriver::Of<StartJob>(actions).front().job;
  const v1::Envelope reply =
      CoreDriver::OnlyReply(driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')}));
  EXPECT_EQ(reply.request_id(), request.envelope.request_id());
  EXPECT_EQ(reply.measure_result().status(), v1::OK);
  EXPECT_EQ(reply.measure_result().source(), "measured");
}

TEST_F(DaemonJobsTest, NeverRunsAMeasureIdTwice) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  const auto again = driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'm'));
  EXPECT_TRUE(CoreDriver::OnlyReply(again).measure_accepted().duplicate());
  EXPECT_TRUE(CoreDriver::Of<StartJob>(again).empty());
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m', 7'777.0)});
  const auto later = driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'm'));
  EXPECT_TRUE(CoreDriver::Of<StartJob>(later).empty());
  EXPECT_DOUBLE_EQ(ResultIn(later).networks(0).latency_median_ns(), 7'777.0);
}

// Every field: a measurement of something else must not be taken for the one that was asked for.
TEST_F(DaemonJobsTest, RefusesAMeasureIdWithOtherContent) {
  Start(driver_.MeasureRequest(alice_, 'm'));
  const std::vector<std::function<void(v1::MeasureRequest&)>> changes{
      [](auto& m) { m.mutable_spec()->set_tier(v1::MeasureSpec::AUDIT); },
      [](auto& m) { m.mutable_spec()->set_per_operation(true); },
      [](auto& m) { m.mutable_spec()->set_extended(true); },
      [](auto& m) { m.mutable_spec()->set_energy(true); },
      [](auto& m) { m.mutable_spec()->set_window_doublings(1); },
      [](auto& m) { m.set_golden_pixels("other pixels"); },
      [](auto& m) { m.set_golden_logits(0, "4321"); },
      [](auto& m) { m.set_network_sha256(0, std::string(kSha256Bytes, 'o')); },
      [](auto& m) {
        v1::NamedOutput& output = *m.add_golden_outputs()->add_outputs();
        output.set_name("scores");
        output.set_num_values(1);
      },
      [](auto& m) {
        m.add_network_sha256(std::string(kSha256Bytes, 'o'));
        m.add_golden_logits("4321");
      }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Message other = driver_.MeasureRequest(alice_, 'm');
    changes[i](*other.envelope.mutable_measure_request());
    EXPECT_EQ(ResultIn(driver_.Deliver(kAlice, other)).status(), v1::REJECTED) << i;
  }
}

TEST_F(DaemonJobsTest, ForgetsAcknowledgedResultsOfTheirOwnerOnly) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')});
  Message ack;
  ack.envelope.mutable_result_ack()->set_measure_id(std::string(kMeasureIdBytes, 'm'));
  const std::string bob = driver_.SayHello(kBob);
  ack.envelope.set_session_id(bob);
  ack.envelope.set_request_id(++driver_.last_request_id);
  driver_.Deliver(kBob, ack);
  EXPECT_EQ(ResultIn(driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'm'))).status(),
            v1::OK);
  ack.envelope.set_session_id(alice_);
  ack.envelope.set_request_id(++driver_.last_request_id);
  driver_.Deliver(kAlice, ack);
  Start(driver_.MeasureRequest(alice_, 'm'));  // Unknown again: runs.
}

TEST_F(DaemonJobsTest, TellsWhoBeginsAgainWhichOfItsMeasurementsItKnows) {
  const JobId first = Start(driver_.MeasureRequest(alice_, 'k'));
  driver_.Step(WorkerAnswered{first, CoreDriver::MeasureReply('k')});
  Start(driver_.MeasureRequest(alice_, 'r'));
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'w'));
  const auto known_to = [this](const std::string& user, const std::string& session) {
    Message request = driver_.LeaseRequest(user, session);
    request.envelope.mutable_lease_request()->set_kind(v1::LeaseRequest::PER_JOB);
    const v1::Envelope reply = CoreDriver::OnlyReply(driver_.Deliver(user, std::move(request)));
    std::string ids;
    for (const std::string& id : reply.lease_grant().known_measure_ids()) ids += id.front();
    return ids;
  };
  EXPECT_EQ(known_to(kAlice, driver_.SayHello(kAlice)), "krw");
  EXPECT_EQ(known_to(kBob, driver_.SayHello(kBob)), "");
}

// The agent may be gone when what it gave up ends. A later one that asks for the same wants it measured.
TEST_F(DaemonJobsTest, KeepsNoResultOfAMeasurementThatWasGivenUp) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  Message cancel = driver_.Request(alice_);
  cancel.envelope.mutable_measure_cancel()->set_measure_id(std::string(kMeasureIdBytes, 'm'));
  driver_.Deliver(kAlice, cancel);
  Message ack = driver_.Request(alice_);
  ack.envelope.mutable_result_ack()->set_measure_id(std::string(kMeasureIdBytes, 'm'));
  driver_.Deliver(kAlice, ack);
  EXPECT_EQ(ResultIn(driver_.Step(WorkerFailed{job, v1::CRASH, "killed"})).status(), v1::CANCELLED);
  Start(driver_.MeasureRequest(alice_, 'm'));
}

TEST_F(DaemonJobsTest, LetsOneMeasurementWaitAndStartsItNext) {
  const JobId first = Start(driver_.MeasureRequest(alice_, 'a'));
  const auto second = driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'b'));
  EXPECT_TRUE(CoreDriver::OnlyReply(second).has_measure_accepted());
  EXPECT_TRUE(CoreDriver::Of<StartJob>(second).empty());
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'c'))),
            StatusCode::kUnavailable);
  const auto done = driver_.Step(WorkerAnswered{first, CoreDriver::MeasureReply('a')});
  ASSERT_EQ(CoreDriver::Of<StartJob>(done).size(), 1U);
  EXPECT_EQ(CoreDriver::Of<StartJob>(done)[0].request.envelope.measure_request().measure_id()[0],
            'b');
}

TEST_F(DaemonJobsTest, NamesTheNetworkThatIsMissing) {
  Message request = driver_.MeasureRequest(alice_, 'm');
  const std::string sha256(kSha256Bytes, '\x0F');
  const auto actions = driver_.Step(MessageReceived{{"r", kAlice}, std::move(request), {sha256}});
  EXPECT_EQ(CoreDriver::ErrorOf(actions), StatusCode::kNotFound);
  EXPECT_NE(CoreDriver::OnlyReply(actions).error().detail().find("0f0f0f0f"), std::string::npos);
}

TEST_F(DaemonJobsTest, DropsADamagedNetworkAndRunsTheRequestWhenItComesAgain) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  Message damaged;
  v1::MeasureResult& result = *damaged.envelope.mutable_measure_result();
  result.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  result.set_status(v1::REJECTED);
  result.add_damaged_sha256(std::string(kSha256Bytes, 'n'));
  result.add_damaged_sha256(std::string(kSha256Bytes, 'x'));  // which the request does not name
  const std::vector<Action> actions = driver_.Step(WorkerAnswered{job, damaged});
  const auto dropped = CoreDriver::Of<DropArtifact>(actions);
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0].sha256, std::string(kSha256Bytes, 'n'));
  ASSERT_EQ(ResultIn(actions).damaged_sha256_size(), 1);
  EXPECT_EQ(ResultIn(actions).damaged_sha256(0), std::string(kSha256Bytes, 'n'));
  Start(driver_.MeasureRequest(alice_, 'm'));
}

TEST_F(DaemonJobsTest, AsksForADamagedNetworkOfAnInference) {
  const JobId job = Start(driver_.InferRequest(alice_));
  Message damaged;
  *damaged.envelope.mutable_error() = ToProto(DataCorrupt("cut off"));
  const std::vector<Action> actions = driver_.Step(WorkerAnswered{job, damaged});
  EXPECT_EQ(CoreDriver::Of<DropArtifact>(actions).size(), 1U);
  EXPECT_EQ(CoreDriver::ErrorOf(actions), StatusCode::kNotFound);
}

WorkerProgressed Waits(JobId job) {
  WorkerProgressed waits{job, kTurnPhase, 0};
  waits.waits_for_turn = true;
  return waits;
}

// Another daemon of the machine may measure for minutes; that is no fault of this network.
TEST_F(DaemonJobsTest, WaitingForItsTurnDoesNotCountAgainstAJobsLimit) {
  Message request = driver_.MeasureRequest(alice_, 'm');
  request.envelope.set_deadline_ms(9'000);
  const JobId job = Start(std::move(request));
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{1'000})).empty());
    driver_.Step(Waits(job));
  }
  EXPECT_TRUE(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{8'999})).empty());
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{1})).size(), 1U);
}

TEST_F(DaemonJobsTest, GivesUpAfterWaitingAnHourForItsTurn) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  for (Milliseconds waited{5'000}; waited < DaemonCore::kLongestTurnWait;
       waited += Milliseconds{5'000}) {
    ASSERT_TRUE(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{5'000})).empty());
    ASSERT_TRUE(CoreDriver::Of<StopJob>(driver_.Step(Waits(job))).empty());
  }
  driver_.PassTime(Milliseconds{5'000});
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.Step(Waits(job))).size(), 1U);
  const v1::MeasureResult result =
      ResultIn(driver_.Step(WorkerFailed{job, v1::CANCELLED, "stopped"}));
  EXPECT_EQ(result.status(), v1::CANCELLED);
  EXPECT_NE(result.detail().find("another daemon of this machine measured"), std::string::npos)
      << result.detail();
}

// The worker runs what came over the wire, and may say anything.
TEST_F(DaemonJobsTest, BelievesNoWorkerThatClaimsToWaitForItsTurn) {
  Message request = driver_.MeasureRequest(alice_, 'm');
  request.envelope.set_deadline_ms(9'000);
  const JobId job = Start(std::move(request));
  driver_.PassTime(Milliseconds{8'000});
  const auto told = CoreDriver::OnlyReply(driver_.Step(WorkerProgressed{job, kTurnPhase, 0}));
  EXPECT_EQ(told.measure_progress().phase(), "running");
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{1'000})).size(), 1U);
}

TEST_F(DaemonJobsTest, NeedsTheNetworksOfJobsThatRunOrWait) {
  const std::string network(kSha256Bytes, 'n');
  EXPECT_FALSE(driver_.core.NeedsArtifact(network));
  const JobId running = Start(driver_.MeasureRequest(alice_, 'a'));
  Message waits = driver_.MeasureRequest(alice_, 'b');
  waits.envelope.mutable_measure_request()->set_network_sha256(0, std::string(kSha256Bytes, 'w'));
  driver_.Deliver(kAlice, waits);
  EXPECT_TRUE(driver_.core.NeedsArtifact(network));
  EXPECT_TRUE(driver_.core.NeedsArtifact(std::string(kSha256Bytes, 'w')));
  driver_.Step(WorkerAnswered{running, CoreDriver::MeasureReply('a')});
  EXPECT_FALSE(driver_.core.NeedsArtifact(network));
  EXPECT_TRUE(driver_.core.NeedsArtifact(std::string(kSha256Bytes, 'w')));
}

TEST_F(DaemonJobsTest, ReportsACrashAndServesTheNextRequest) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'a'));
  const auto failed = driver_.Step(WorkerFailed{job, v1::CRASH, "ended by signal 11"});
  EXPECT_EQ(ResultIn(failed).status(), v1::CRASH);
  EXPECT_EQ(ResultIn(failed).detail(), "ended by signal 11");
  EXPECT_EQ(ResultIn(failed).networks_size(), 0);
  Start(driver_.MeasureRequest(alice_, 'b'));
}

TEST_F(DaemonJobsTest, CancelsWaitingAndRunningMeasurements) {
  const JobId running = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'b'));
  Message cancel = driver_.Request(alice_);
  cancel.envelope.mutable_measure_cancel()->set_measure_id(std::string(kMeasureIdBytes, 'b'));
  EXPECT_EQ(ResultIn(driver_.Deliver(kAlice, cancel)).status(), v1::CANCELLED);
  cancel = driver_.Request(alice_);
  cancel.envelope.mutable_measure_cancel()->set_measure_id(std::string(kMeasureIdBytes, 'a'));
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.Deliver(kAlice, cancel)).size(), 1U);
  EXPECT_EQ(ResultIn(driver_.Step(WorkerFailed{running, v1::CRASH, ""})).status(), v1::CANCELLED);
  cancel = driver_.Request(alice_);
  cancel.envelope.mutable_measure_cancel()->set_measure_id(std::string(kMeasureIdBytes, 'a'));
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, cancel)), StatusCode::kNotFound);
}

TEST_F(DaemonJobsTest, DropsWaitingWorkWhenTheLeaseIsReleased) {
  const JobId running = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'b'));
  Message release = driver_.Request(alice_);
  release.envelope.mutable_lease_release();
  const auto actions = driver_.Deliver(kAlice, release);
  EXPECT_EQ(ResultIn(actions).status(), v1::CANCELLED);
  EXPECT_EQ(CoreDriver::Of<StopJob>(actions).size(), 1U);
  EXPECT_TRUE(CoreDriver::Of<StartJob>(driver_.Step(WorkerFailed{running, v1::CRASH, ""})).empty());
}

// The agent went away while the board measured; it comes back with a new session and asks again.
TEST_F(DaemonJobsTest, KeepsAResultForAnAgentThatReconnects) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m', 4'242.0)});
  driver_.PassTime(Milliseconds{60'000});
  const std::string again = driver_.Connect(kAlice);
  const auto actions = driver_.Deliver(kAlice, driver_.MeasureRequest(again, 'm'));
  EXPECT_DOUBLE_EQ(ResultIn(actions).networks(0).latency_median_ns(), 4'242.0);
}

TEST_F(DaemonJobsTest, ReportsAWorkerThatAnswersSomethingElse) {
  const auto answered_with = [&](char id, Message reply) {
    const JobId job = Start(driver_.MeasureRequest(alice_, id));
    return ResultIn(driver_.Step(WorkerAnswered{job, std::move(reply)})).status();
  };
  EXPECT_EQ(answered_with('a', CoreDriver::MeasureReply('x')), v1::PROTOCOL_ERROR);
  EXPECT_EQ(answered_with('b', CoreDriver::MeasureReply('b', -1.0)), v1::PROTOCOL_ERROR);
  Message pong;
  pong.envelope.mutable_pong();
  EXPECT_EQ(answered_with('c', pong), v1::PROTOCOL_ERROR);
  Message huge = CoreDriver::MeasureReply('d');
  huge.envelope.mutable_measure_result()->set_detail(std::string(kMaxEnvelopeBytes, 'x'));
  EXPECT_EQ(answered_with('d', huge), v1::PROTOCOL_ERROR);
}

TEST_F(DaemonJobsTest, IgnoresAnswersToJobsThatAreOver) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('a')});
  EXPECT_TRUE(driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('a')}).empty());
  EXPECT_TRUE(driver_.Step(WorkerFailed{job, v1::CRASH, ""}).empty());
  EXPECT_TRUE(driver_.Step(WorkerProgressed{job + 1, "timing", 1}).empty());
}

TEST_F(DaemonJobsTest, AnswersInferRequestsWithLogitsOrTheWorkersError) {
  const JobId job = Start(driver_.InferRequest(alice_));
  Message logits;
  logits.envelope.mutable_infer_result()->set_num_images(1);
  logits.envelope.mutable_infer_result()->set_num_classes(1);
  logits.raw = "1234";
  const auto actions = driver_.Step(WorkerAnswered{job, logits});
  EXPECT_EQ(CoreDriver::Of<Send>(actions).front().message.raw, "1234");
  const JobId crashing = Start(driver_.InferRequest(alice_));
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Step(WorkerFailed{crashing, v1::CRASH, "signal 11"})),
            StatusCode::kInternal);
}

}  // namespace
}  // namespace bitpilot::daemon

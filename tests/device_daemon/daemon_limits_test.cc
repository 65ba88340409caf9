// How long a job may take and be silent.
#include <string>

#include "tests/device_daemon/daemon_jobs_fixture.h"

namespace bitpilot::daemon {
namespace {

TEST_F(DaemonJobsTest, KeepsTheLeaseWhileTheHoldersMeasurementRuns) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  for (int i = 0; i < 9; ++i) {
    driver_.now += Milliseconds{6'000};
    driver_.Step(WorkerProgressed{job, "timing", 1});
  }
  EXPECT_EQ(ResultIn(driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')})).status(),
            v1::OK);
  Message ping = driver_.Request(alice_);
  ping.envelope.mutable_ping();
  EXPECT_EQ(CoreDriver::OnlyReply(driver_.Deliver(kAlice, ping)).pong().state(), "LEASED");
}

TEST_F(DaemonJobsTest, StopsAJobAtItsDeadlineOnce) {
  Message request = driver_.MeasureRequest(alice_, 'm');
  request.envelope.set_deadline_ms(2'000);
  const JobId job = Start(std::move(request));
  EXPECT_EQ(driver_.core.NextDeadline(), driver_.now + Milliseconds{2'000});
  EXPECT_TRUE(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{1'999})).empty());
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{1})).size(), 1U);
  EXPECT_TRUE(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{500})).empty());
  const auto failed = driver_.Step(WorkerFailed{job, v1::CRASH, "signal 15"});
  EXPECT_EQ(ResultIn(failed).status(), v1::TIMED_OUT);
}

TEST_F(DaemonJobsTest, BoundsTheLongestDeadline) {
  Message request = driver_.MeasureRequest(alice_, 'm');
  request.envelope.set_deadline_ms(0xFFFFFFFFU);
  const JobId job = Start(std::move(request));
  ExpectStoppedAfter(job, DaemonCore::kLongestJob, Milliseconds{0});
}

// Eleven finalists of 0.45 s an inference: an AUDIT takes up to eight minutes, whatever is usual.
TEST_F(DaemonJobsTest, LetsAMeasurementTakeWhatItsTimingForetells) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  const Milliseconds whole{480'000};
  for (Milliseconds passed{0}; passed < whole; passed += Milliseconds{5'000}) {
    driver_.Step(WorkerProgressed{job, "timing", 1, whole - passed});
    driver_.now += Milliseconds{5'000};
    ASSERT_TRUE(CoreDriver::Of<StopJob>(driver_.Step(TimePassed{})).empty()) << passed.count();
  }
  EXPECT_EQ(ResultIn(driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')})).status(),
            v1::OK);
}

// Three times as long as foretold, and the gate's two minutes.
TEST_F(DaemonJobsTest, StopsAMeasurementThatTakesMuchLongerThanForetold) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerProgressed{job, "warm-up", 0, Milliseconds{100'000}});
  ExpectStoppedAfter(job, Milliseconds{120'000 + 3 * 100'000}, Milliseconds{0});
}

TEST_F(DaemonJobsTest, KeepsTheDeadlineThatTheAgentAskedFor) {
  Message request = driver_.MeasureRequest(alice_, 'm');
  request.envelope.set_deadline_ms(20'000);
  const JobId job = Start(std::move(request));
  ExpectStoppedAfter(job, Milliseconds{20'000}, Milliseconds{3'600'000});
}

// One window of ten seconds and more is not a hang, if the worker said so before.
TEST_F(DaemonJobsTest, WaitsForAsLongAsTheWorkerAnnounced) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerProgressed{job, "timing", 1, Milliseconds{300'000}, Milliseconds{80'000}});
  EXPECT_EQ(driver_.core.NextDeadline(), driver_.now + Milliseconds{80'000});
  EXPECT_TRUE(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{79'999})).empty());
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{1})).size(), 1U);
  const v1::MeasureResult result = ResultIn(driver_.Step(WorkerFailed{job, v1::CRASH, ""}));
  EXPECT_EQ(result.status(), v1::TIMED_OUT);
  EXPECT_NE(result.detail().find("80000 ms"), std::string::npos) << result.detail();
}

// The worker runs what came over the wire, and may announce anything.
TEST_F(DaemonJobsTest, BelievesNoSilenceOfMoreThanAnHour) {
  const JobId job = Start(driver_.InferRequest(alice_));
  driver_.Step(WorkerProgressed{job, "infer", 0, Milliseconds{0}, Milliseconds{86'400'000}});
  EXPECT_EQ(driver_.core.NextDeadline(), driver_.now + DaemonCore::kLongestSilence);
}

// 256 images of 0.45 s each take two minutes.
TEST_F(DaemonJobsTest, LetsAnInferenceTakeAsLongAsItAdvances) {
  const JobId job = Start(driver_.InferRequest(alice_));
  for (int i = 0; i < 40; ++i) {
    driver_.now += Milliseconds{9'000};
    driver_.Step(WorkerProgressed{job, "infer", 0});
    ASSERT_TRUE(CoreDriver::Of<StopJob>(driver_.Step(TimePassed{})).empty());
  }
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.PassTime(DaemonCore::kStallLimit)).size(), 1U);
}

TEST_F(DaemonJobsTest, TellsTheAgentWhatRemainsAndHowLongItMayBeSilent) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  const v1::MeasureProgress progress =
      CoreDriver::OnlyReply(driver_.Step(WorkerProgressed{job, "timing", 3, Milliseconds{90'000},
                                                          Milliseconds{45'000}}))
          .measure_progress();
  EXPECT_EQ(progress.remaining_ms(), 90'000U);
  EXPECT_EQ(progress.silence_ms(), 45'000U);
  // Who waits behind it waits as long.
  const v1::Envelope waits =
      CoreDriver::OnlyReply(driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'n')));
  EXPECT_EQ(waits.measure_accepted().eta_ms(), 90'600U);
}

// An energy phase of 40 s is told to the agent, and the job may take three times as long, and the
// two minutes that the gate may hold it.
TEST_F(DaemonJobsTest, CountsTheEnergyPhaseInEstimateAndLimit) {
  CoreConfig config = CoreDriver::MakeConfig(0);
  config.energy_duration = [](const v1::MeasureRequest&) { return Milliseconds{40'000}; };
  driver_.core = DaemonCore(std::move(config));
  Message request = driver_.MeasureRequest(driver_.Connect(kAlice), 'm');
  request.envelope.mutable_measure_request()->mutable_spec()->set_energy(true);
  const std::vector<Action> actions = driver_.Deliver(kAlice, request);
  EXPECT_EQ(CoreDriver::OnlyReply(actions).measure_accepted().eta_ms(), 40'600U);
  const JobId job = CoreDriver::Of<StartJob>(actions).front().job;
  const Milliseconds limit{120'000 + 3 * 40'600};
  for (Milliseconds passed{5'000}; passed < limit; passed += Milliseconds{5'000}) {
    driver_.now += Milliseconds{5'000};
    driver_.Step(WorkerProgressed{job, "energy", 1});
    ASSERT_TRUE(CoreDriver::Of<StopJob>(driver_.Step(TimePassed{})).empty());
  }
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{5'000})).size(), 1U);
}

TEST_F(DaemonJobsTest, StopsAWorkerWithoutSignsOfLife) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.now += Milliseconds{9'000};
  driver_.Step(WorkerProgressed{job, "warm-up", 0});
  EXPECT_TRUE(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{9'999})).empty());
  EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.PassTime(Milliseconds{1})).size(), 1U);
}

}  // namespace
}  // namespace bitpilot::daemon

// What becomes of a measurement when its worker is killed, hangs or runs out of memory: always a
// status, and the next measurement works.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "kernels/base/file_io.h"
#include "proto/phases.h"
#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"

namespace bitpilot {
namespace {

class ServeWorkerTest : public testing::Test {
 protected:
  // Starts a measurement that takes seconds and waits until its worker is in that phase of it; of no
  // name, until it measures: before, it may wait for other daemons of the machine, without the job.
  pid_t StartLongMeasurement(char id, std::uint32_t deadline_ms = 0,
                             const std::string& phase = "") {
    Message request = agent_.MeasureRequest(network_, id);
    request.envelope.mutable_measure_request()->mutable_spec()->set_tier(v1::MeasureSpec::AUDIT);
    request.envelope.set_deadline_ms(deadline_ms);
    EXPECT_TRUE(agent_.Ask(request).envelope.has_measure_accepted());
    for (bool measures = false; !measures;) {
      const std::optional<Message> told = agent_.Receive();
      if (!told || !told->envelope.has_measure_progress()) {
        ADD_FAILURE() << "no progress";
        break;
      }
      const std::string& now = told->envelope.measure_progress().phase();
      measures = phase.empty() ? now != kTurnPhase : now == phase;
    }
    const pid_t worker = daemon_.WorkerPid();
    EXPECT_NE(worker, 0);
    return worker;
  }

  // To nobody where there is no worker: 0 would name this process's whole group, CTest with it.
  static void Signal(pid_t worker, int signal) {
    if (worker > 0) kill(worker, signal);
  }

  void ExpectNextMeasurementWorks(char id) {
    const v1::MeasureResult result = agent_.Measure(agent_.MeasureRequest(network_, id));
    EXPECT_TRUE(result.status() == v1::OK || result.status() == v1::NOISY)
        << v1::MeasureStatus_Name(result.status()) << " " << result.detail();
  }

  void SetUp() override {
    ASSERT_GT(agent_.Connect(), 0U);
    ASSERT_TRUE(agent_.Upload(network_));
  }

  DaemonProcess daemon_;
  TestAgent agent_{daemon_.endpoint(), daemon_.public_key(), daemon_.agent_keys()};
  const TestNetwork network_ = MakeTestNetwork(4, 21);
};

// Sanitizers catch SIGSEGV and exit instead.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kFatalSignals[] = {SIGKILL, SIGABRT};
#else
constexpr int kFatalSignals[] = {SIGKILL, SIGSEGV, SIGABRT};
#endif

TEST_F(ServeWorkerTest, F1ReportsTheSignalThatEndedTheWorkerAndKeepsTheLease) {
  for (const int signal : kFatalSignals) {
    const char id = static_cast<char>(signal);
    Signal(StartLongMeasurement(id), signal);
    const v1::MeasureResult result = agent_.ReceiveResult();
    EXPECT_EQ(result.status(), v1::CRASH);
    EXPECT_EQ(result.networks_size(), 0);
    EXPECT_NE(result.detail().find("signal " + std::to_string(signal)), std::string::npos)
        << result.detail();
    ExpectNextMeasurementWorks(static_cast<char>(100 + signal));
  }
}

// The others die before they time, and serve_energy_test.cc has one that dies behind it.
TEST_F(ServeWorkerTest, F1CallsADeathInTheMiddleOfTheTimingACrash) {
  Signal(StartLongMeasurement('t', /*deadline_ms=*/0, "timing"), SIGKILL);
  const v1::MeasureResult result = agent_.ReceiveResult();
  EXPECT_EQ(result.status(), v1::CRASH);
  EXPECT_EQ(result.networks_size(), 0);
  EXPECT_NE(result.detail().find("signal 9"), std::string::npos) << result.detail();
  ExpectNextMeasurementWorks('n');
}

// A stopped process does not die of SIGTERM, so this also needs the SIGKILL that follows.
TEST_F(ServeWorkerTest, F2EndsAWorkerThatHangs) {
  // Long enough for the worker to begin, also on a busy machine.
  Signal(StartLongMeasurement('h', /*deadline_ms=*/4'000), SIGSTOP);
  EXPECT_EQ(agent_.ReceiveResult().status(), v1::TIMED_OUT);
  ExpectNextMeasurementWorks('n');
}

TEST_F(ServeWorkerTest, F2AnswersPingsWhileTheWorkerIsStopped) {
  const pid_t worker = StartLongMeasurement('p', /*deadline_ms=*/4'000);
  Signal(worker, SIGSTOP);
  Message ping = agent_.Request();
  ping.envelope.mutable_ping()->set_agent_time_ns(77);
  const Message pong = agent_.Ask(ping);
  EXPECT_EQ(pong.envelope.pong().agent_time_ns(), 77U);
  EXPECT_EQ(pong.envelope.pong().state(), "TIMING");
  EXPECT_EQ(agent_.ReceiveResult().status(), v1::TIMED_OUT);
}

TEST_F(ServeWorkerTest, CancelsARunningMeasurement) {
  StartLongMeasurement('c');
  Message cancel = agent_.Request();
  cancel.envelope.mutable_measure_cancel()->set_measure_id(std::string(16, 'c'));
  agent_.Send(cancel);
  EXPECT_EQ(agent_.ReceiveResult().status(), v1::CANCELLED);
  ExpectNextMeasurementWorks('n');
}

TEST_F(ServeWorkerTest, ReplacesAWorkerThatDiedWhileIdle) {
  ExpectNextMeasurementWorks('a');
  const Result<std::string> baseline = ReadFile(daemon_.keys_folder() + "/store/board_baseline");
  ASSERT_TRUE(baseline.ok()) << baseline.status().message();
  EXPECT_NE(baseline->find("canary_ns"), std::string::npos) << "what it saw outlives it";
  const pid_t worker = daemon_.WorkerPid();
  Signal(worker, SIGKILL);
  EXPECT_TRUE(WaitUntilGone(worker));
  ExpectNextMeasurementWorks('b');
}

TEST_F(ServeWorkerTest, EndsTheWorkerWithTheDaemon) {
  const pid_t worker = StartLongMeasurement('d');
  daemon_.Stop(SIGKILL);
  EXPECT_TRUE(WaitUntilGone(worker));
}

TEST(ServeWorkerMemoryTest, F4ReportsANetworkThatDoesNotFit) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the memory limit is not set under sanitizers";
#endif
  DaemonProcess daemon({"--worker-memory", "32"});
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork large = MakeTestNetwork(8, 22, "resnet18");
  ASSERT_TRUE(agent.Upload(large));
  Message request = agent.Request();
  v1::MeasureRequest& measure = *request.envelope.mutable_measure_request();
  measure.set_measure_id(std::string(16, 'o'));
  measure.add_network_sha256(large.sha256);
  measure.set_golden_pixels(RandomPixels(static_cast<std::size_t>(large.network.input_bytes()), 1));
  measure.add_golden_logits(
      std::string(static_cast<std::size_t>(large.network.num_classes()) * sizeof(float), '\0'));
  measure.mutable_spec()->set_tier(v1::MeasureSpec::SCREEN);
  EXPECT_EQ(agent.Measure(request).status(), v1::OUT_OF_MEMORY);
  const TestNetwork small = MakeTestNetwork(8, 23);
  ASSERT_TRUE(agent.Upload(small));
  const v1::MeasureResult next = agent.Measure(agent.MeasureRequest(small, 'n'));
  EXPECT_TRUE(next.status() == v1::OK || next.status() == v1::NOISY) << next.detail();
}

TEST(ServeParentTest, EndsWithTheProgramThatStartedIt) {
  DaemonProcess outer;  // For its key folder only.
  const TemporaryFolder folder;
  const std::string command =
      BITPILOTD_PATH " serve --listen tcp://127.0.0.1:0 --exit-with-parent --json --keys " +
      outer.keys_folder() + " --store " + (folder / "store") + " > " + (folder / "out") + " 2> " +
      (folder / "err") + " & echo $! > " + (folder / "pid") + "; while ! [ -s " + (folder / "out") +
      " ]; do sleep 0.01; done";
  ASSERT_EQ(std::system(command.c_str()), 0);  // The shell ends once the daemon is ready.
  pid_t pid = 0;
  std::ifstream(folder / "pid") >> pid;
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(WaitUntilGone(pid));
}

}  // namespace
}  // namespace bitpilot

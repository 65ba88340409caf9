// Uploads, inference and measurements through a real bitpilotd.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/measurement/cpu_core.h"
#include "device_daemon/server/machine_turn.h"
#include "kernels/base/cost_table.h"
#include "kernels/cpu/isa.h"
#include "proto/phases.h"
#include "proto/validation.h"
#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"

namespace bitpilot {
namespace {

bool HasNumbers(const v1::MeasureResult& result) {
  return result.status() == v1::OK || result.status() == v1::NOISY;
}

TEST(ServeMeasureTest, InfersBitForBitWhatTheReferenceGivesOnEveryInstructionSet) {
  for (const Isa isa : SupportedIsas()) {
    const std::string name(ToString(isa));
    SCOPED_TRACE(name);
    DaemonProcess daemon({"--isa", name});
    TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
    ASSERT_GT(agent.Connect(), 0U);
    EXPECT_EQ(agent.capabilities().isa(), name);
    const TestNetwork network = MakeTestNetwork(3, 11);
    ASSERT_TRUE(agent.Upload(network));
    const std::string pixels = agent.pixels() + RandomPixels(agent.pixels().size(), 9);
    const Message reply = agent.Ask(agent.InferRequest(network, pixels));
    ASSERT_TRUE(reply.envelope.has_infer_result()) << reply.envelope.error().detail();
    EXPECT_EQ(reply.envelope.infer_result().num_images(), 2U);
    EXPECT_EQ(reply.raw, GoldenLogits(network.network, agent.pixels()) +
                             GoldenLogits(network.network, pixels.substr(agent.pixels().size())));
  }
}

// Only a measurement waits until the board is fit.
TEST(ServeMeasureTest, InferenceTimesNoKernels) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork network = MakeTestNetwork(1, 11);
  ASSERT_TRUE(agent.Upload(network));
  ASSERT_TRUE(agent.Ask(agent.InferRequest(network, agent.pixels())).envelope.has_infer_result());
  const std::string file = daemon.keys_folder() + "/store/worker/kernel_choices";
  EXPECT_FALSE(std::filesystem::exists(file));
  const v1::MeasureResult result = agent.Measure(agent.MeasureRequest(network, 'm'));
  ASSERT_TRUE(HasNumbers(result)) << result.detail();
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(result.conditions().kernel_choices().size(), 12U);
}

TEST(ServeMeasureTest, MeasuresOnTheCpuThatIsNamed) {
  for (const int cpu : {AllowedCpus().front(), AllowedCpus().back()}) {
    DaemonProcess daemon({"--cpu", std::to_string(cpu)});
    TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
    ASSERT_GT(agent.Connect(), 0U);
    EXPECT_EQ(agent.capabilities().cpu(), static_cast<std::uint32_t>(cpu));
    EXPECT_EQ(agent.capabilities().core(), ChooseCore(std::to_string(cpu))->Identity());
    const TestNetwork network = MakeTestNetwork(8, 12);
    ASSERT_TRUE(agent.Upload(network));
    const v1::MeasureResult result = agent.Measure(agent.MeasureRequest(network, 'm'));
    ASSERT_TRUE(HasNumbers(result)) << result.detail();
    EXPECT_EQ(result.conditions().cpu(), static_cast<std::uint32_t>(cpu));
    cpu_set_t affinity;
    ASSERT_EQ(sched_getaffinity(daemon.WorkerPid(), sizeof affinity, &affinity), 0);
    EXPECT_EQ(CPU_COUNT(&affinity), 1);
    EXPECT_TRUE(CPU_ISSET(cpu, &affinity));
  }
}

TEST(ServeMeasureTest, RefusesACpuThatThereIsNot) {
  const std::vector<std::vector<std::string>> commands = {
      {"check"},
      {"bench", "--network", "resnet8"},
      {"serve", "--listen", "tcp://127.0.0.1:0", "--keys", "somewhere"}};
  for (std::vector<std::string> arguments : commands) {
    arguments.insert(arguments.end(), {"--cpu", "99999", "--json"});
    const ProgramEnd end = RunBitpilotd(arguments);
    EXPECT_EQ(end.exit_code, 2) << arguments.front();
    EXPECT_NE(end.standard_error.find("--cpu 99999: no such CPU"), std::string::npos)
        << end.standard_error;
  }
}

// The turn of this test stands for another daemon's.
TEST(ServeMeasureTest, WaitsUntilNoOtherDaemonOfTheMachineMeasures) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork network = MakeTestNetwork(8, 12);
  ASSERT_TRUE(agent.Upload(network));
  MachineTurn turn;
  while (!turn.TryTake()) usleep(10'000);  // Tests that run beside this one measure, too.
  if (!turn.problem().empty()) GTEST_SKIP() << turn.problem();
  agent.Send(agent.MeasureRequest(network, 'm'));
  bool waits = false;
  while (!waits) {
    const std::optional<Message> message = agent.Receive();
    ASSERT_TRUE(message.has_value());
    ASSERT_FALSE(message->envelope.has_measure_result());
    waits = message->envelope.measure_progress().phase() == kTurnPhase;
  }
  EXPECT_TRUE(daemon.WaitForLog("waiting: another daemon of this machine measures"));
  turn.GiveBack();
  const v1::MeasureResult result = agent.ReceiveResult();
  ASSERT_TRUE(HasNumbers(result)) << result.detail();
  EXPECT_GT(result.conditions().turn_wait_ms(), 0.0);
}

TEST(ServeMeasureTest, MeasuresWithWindowsIntervalAndKernels) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork network = MakeTestNetwork(8, 12);
  ASSERT_TRUE(agent.Upload(network));
  Message request = agent.MeasureRequest(network, 'm');
  request.envelope.mutable_measure_request()->mutable_spec()->set_per_operation(true);
  Message reply;
  *reply.envelope.mutable_measure_result() = agent.Measure(request);
  const v1::MeasureResult& result = reply.envelope.measure_result();
  ASSERT_TRUE(HasNumbers(result)) << result.detail();
  EXPECT_TRUE(ValidateReply(reply).ok());
  EXPECT_EQ(result.source(), "measured");
  const v1::NetworkMeasurement& measured = result.networks(0);
  EXPECT_EQ(measured.window_ns_size(), 9);
  EXPECT_GT(measured.confidence(), 0.96);
  EXPECT_EQ(measured.kernels_size(), network.network.topology.num_operations());
  EXPECT_EQ(measured.operations_size(), network.network.topology.num_operations());
  EXPECT_GT(result.conditions().duration_ms(), 0.0);
}

TEST(ServeMeasureTest, MeasuresSeveralNetworksInInterleavedRounds) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork first = MakeTestNetwork(8, 12);
  const TestNetwork second = MakeTestNetwork(4, 13);
  ASSERT_TRUE(agent.Upload(first));
  ASSERT_TRUE(agent.Upload(second));
  Message request = agent.MeasureRequest(first, 'm');
  v1::MeasureRequest& measure = *request.envelope.mutable_measure_request();
  measure.add_network_sha256(second.sha256);
  measure.add_golden_logits(GoldenLogits(second.network, agent.pixels()));
  const v1::MeasureResult result = agent.Measure(request);
  ASSERT_TRUE(HasNumbers(result)) << result.detail();
  ASSERT_EQ(result.networks_size(), 2);
  EXPECT_EQ(result.networks(0).window_ns_size(), result.networks(1).window_ns_size());
  EXPECT_EQ(result.networks(1).network_sha256(), second.sha256);
}

TEST(ServeMeasureTest, ReportsWrongOutputWithoutATime) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork network = MakeTestNetwork(4, 14);
  ASSERT_TRUE(agent.Upload(network));
  Message request = agent.MeasureRequest(network, 'm');
  (*request.envelope.mutable_measure_request()->mutable_golden_logits(0))[0] ^= 1;
  const v1::MeasureResult result = agent.Measure(request);
  EXPECT_EQ(result.status(), v1::WRONG_OUTPUT);
  EXPECT_EQ(result.networks_size(), 0);
}

TEST(ServeMeasureTest, AsksForANetworkThatItDoesNotHave) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork network = MakeTestNetwork(4, 15);
  const Message reply = agent.Ask(agent.MeasureRequest(network, 'm'));
  EXPECT_EQ(FromProto(reply.envelope.error()).code(), StatusCode::kNotFound);
}

TEST(ServeMeasureTest, DeliversAResultToAnAgentThatReconnected) {
  DaemonProcess daemon;
  const TestNetwork network = MakeTestNetwork(4, 16);
  v1::MeasureResult first;
  {
    TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
    ASSERT_GT(agent.Connect(), 0U);
    ASSERT_TRUE(agent.Upload(network));
    first = agent.Measure(agent.MeasureRequest(network, 'm'));
    Message release = agent.Request();
    release.envelope.mutable_lease_release();
    ASSERT_TRUE(agent.Ask(release).envelope.has_lease_released());
  }
  TestAgent again(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(again.Connect(), 1U);
  const v1::MeasureResult second = again.Measure(again.MeasureRequest(network, 'm'));
  EXPECT_EQ(second.SerializeAsString(), first.SerializeAsString());
}

TEST(ServeMeasureTest, AnswersFromACostTableTheSameEveryTime) {
  const TemporaryFolder folder;
  const TestNetwork network = MakeTestNetwork(4, 17);
  CostTable table;
  table.name = "toy";
  table.source = "serve_measure_test";
  table.overhead_latency_ns = 500.0;
  const BitAssignment bits = AssignmentOf(network.network);
  std::size_t layer = 0;
  for (const int operation : LayerOperations(network.network.topology)) {
    const Operation& op = network.network.topology.operations[operation];
    table.operations[{op.name, bits.weight_bits[layer++].front().bits,
                      bits.activation_bits[op.input]}] = {1'000.0, std::nullopt};
  }
  std::ofstream(folder / "table") << FormatCostTable(table);
  DaemonProcess daemon({"--backend", "model:" + (folder / "table")});
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  EXPECT_EQ(agent.capabilities().backend(), "model:toy");
  EXPECT_EQ(agent.capabilities().model_source(), "serve_measure_test");
  ASSERT_TRUE(agent.Upload(network));
  for (const char id : {'a', 'b'}) {
    const v1::MeasureResult result = agent.Measure(agent.MeasureRequest(network, id));
    ASSERT_EQ(result.status(), v1::OK) << result.detail();
    EXPECT_EQ(result.source(), "MODEL:toy");
    EXPECT_DOUBLE_EQ(result.networks(0).latency_median_ns(), 500.0 + 1'000.0 * layer);
  }
}

// Largest resident memory of a process so far, in KiB.
int PeakResidentKib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoi(line.substr(6));
  }
  return 0;
}

TEST(ServeMeasureTest, FitsASmallBoardWithResNet20) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need memory of their own";
#endif
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  const TestNetwork network = MakeTestNetwork(8, 18, "resnet20");
  ASSERT_TRUE(agent.Upload(network));
  ASSERT_TRUE(HasNumbers(agent.Measure(agent.MeasureRequest(network, 'm'))));
  const int daemon_kib = PeakResidentKib(daemon.pid());
  const int worker_kib = PeakResidentKib(daemon.WorkerPid());
  EXPECT_GT(worker_kib, 0);
  EXPECT_LE(daemon_kib + worker_kib, 32 * 1024) << daemon_kib << " + " << worker_kib;
}

TEST(ServeMeasureTest, NamesADamagedCostTable) {
  DaemonProcess daemon;
  const TemporaryFolder folder;
  std::ofstream(folder / "table") << "rubbish\n";
  const ProgramEnd end =
      RunBitpilotd({"serve", "--listen", "tcp://127.0.0.1:0", "--keys", daemon.keys_folder(),
                    "--store", folder.path(), "--backend", "model:" + (folder / "table")});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_NE(end.standard_error.find(folder / "table"), std::string::npos) << end.standard_error;
}

}  // namespace
}  // namespace bitpilot

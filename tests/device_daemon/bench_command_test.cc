// bitpilotd bench as users and scripts call it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "device_daemon/measurement/cpu_core.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/network_file.h"
#include "kernels/base/standard_networks.h"
#include "kernels/cpu/isa.h"
#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

TEST(BenchCommandTest, TimesTheForcedInstructionSetOperationByOperation) {
  for (const Isa isa : {SupportedIsas().front(), SupportedIsas().back()}) {
    const std::string name(ToString(isa));
    const ProgramEnd end =
        RunBitpilotd({"bench", "--network", "resnet8", "--bits", "w4a4", "--isa", name, "--json"});
    ASSERT_EQ(end.exit_code, 0) << end.standard_error;
    const Json line = Json::parse(end.standard_output);
    EXPECT_EQ(line["type"], "result");
    EXPECT_EQ(line["isa"], name);
    EXPECT_GT(line["latency_median_ns"], 0.0);
    EXPECT_GT(line["cpu_median_ns"], 0.0);
    EXPECT_GT(line["cold_cpu_median_ns"], 0.0);
    // Wall time of a window is never below its CPU time, but for the clocks' resolution.
    EXPECT_GE(line["latency_median_ns"].get<double>(), 0.99 * line["cpu_median_ns"].get<double>());
    EXPECT_GT(line["plan_ms"], 0.0);
    EXPECT_GT(line["peak_gmacs_per_second"], 0.0);
    EXPECT_GT(line["fraction_of_peak"], 0.0);
    EXPECT_EQ(line["macs"], 12'501'632);
    EXPECT_EQ(line["operations"].size(), 11U);
    EXPECT_EQ(line["operations"][0]["name"], "conv2d");
  }
}

TEST(BenchCommandTest, PrintsATableForPeople) {
  const ProgramEnd end = RunBitpilotd({"bench", "--network", "resnet8", "--layers"});
  ASSERT_EQ(end.exit_code, 0) << end.standard_error;
  EXPECT_THAT(end.standard_output, HasSubstr("warm"));
  EXPECT_THAT(end.standard_output, HasSubstr("cold"));
  EXPECT_THAT(end.standard_output, HasSubstr("conv2d_7"));
  EXPECT_THAT(end.standard_output, HasSubstr("GMAC/s"));
}

// The daemon and the agent read the same text: every layer and width of the network is in it.
TEST(BenchCommandTest, PrintsTheBoardsCostTable) {
  const ProgramEnd end = RunBitpilotd({"bench", "--network", "resnet8", "--table"});
  ASSERT_EQ(end.exit_code, 0) << end.standard_error;
  const Result<CostTable> table = ParseCostTable(end.standard_output);
  ASSERT_TRUE(table.ok()) << table.status().message();
  const Topology topology = StandardTopology("resnet8").value();
  for (const int bits : {1, 2, 5, 8}) {
    const Result<Cost> cost = PredictCost(
        *table, topology, UniformAssignment(topology, bits, bits, /*search_ends=*/true));
    ASSERT_TRUE(cost.ok()) << cost.status().message();
    EXPECT_GT(cost->latency_ns, 0.0);
    EXPECT_FALSE(cost->energy.has_value()) << "nothing measured any";
  }
}

// Widths so far apart that no disturbance hides which is faster; where the machine tells two copies of
// one network apart, there is no verdict, and that is said.
TEST(BenchCommandTest, SaysWhichOfTwoNetworksIsFaster) {
  const ProgramEnd end = RunBitpilotd(
      {"bench", "--network", "resnet8", "--bits", "w8a8", "--versus", "w1a1", "--json"});
  const Json line = Json::parse(end.standard_output, nullptr, /*allow_exceptions=*/false);
  ASSERT_EQ(line.value("type", ""), "result") << end.standard_error;
  EXPECT_EQ(line["a"]["network"], "resnet8");
  EXPECT_NE(line["a"]["widths"], line["b"]["widths"]);
  EXPECT_GT(line["a"]["latency_median_ns"], line["b"]["latency_median_ns"]);
  const Json& versus = line["versus"];
  EXPECT_GE(versus["rounds"], 144);
  EXPECT_GE(versus["same"]["rounds"], 144);
  EXPECT_GT(versus["ratio_low"], 1.0);
  EXPECT_LE(versus["ratio_low"], versus["ratio"]);
  EXPECT_LE(versus["ratio"], versus["ratio_high"]);
  if (versus["same"]["told_apart"] == true) {
    EXPECT_TRUE(versus["verdict"].is_null());
    EXPECT_EQ(end.exit_code, 4);
  } else {
    EXPECT_EQ(versus["verdict"], "slower");
    EXPECT_EQ(end.exit_code, 3);
  }
}

TEST(BenchCommandTest, RefusesWhatCannotBeComparedBeforeItMeasures) {
  const TemporaryFolder folder;
  const std::string file = folder / "net.bpnet";
  const Topology topology = StandardTopology("resnet8").value();
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 4, 4), 1);
  ASSERT_TRUE(WriteNetworkFile(file, network).ok());
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--network", "resnet8", "--versus", "resnet9"}, "resnet9"},
      {{"--network", "resnet8", "--versus", "resnet8:w9a1"}, "w9a1"},
      {{"--network", "resnet8", "--versus", "mobilenet-v2"}, "of different tasks"},
      {{"--network", file, "--versus", "w4a4"}, "widths alone are those of a named network"},
      {{"--network", "resnet8", "--versus", "w4a4", "--table"}, "--table"},
      {{"--network", "resnet8", "--versus", "w4a4", "--layers"}, "--layers"},
      {{"--network", "resnet8", "--audit"}, "--versus"}};
  for (const auto& [flags, message] : cases) {
    std::vector<std::string> arguments = {"bench"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const ProgramEnd end = RunBitpilotd(arguments);
    EXPECT_EQ(end.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_THAT(end.standard_error, HasSubstr(message));
    EXPECT_EQ(end.standard_output, "") << testing::PrintToString(arguments);
  }
  std::ofstream(file) << "odd";
  const ProgramEnd odd = RunBitpilotd({"bench", "--network", "resnet8", "--versus", file});
  EXPECT_EQ(odd.exit_code, 1);
  EXPECT_THAT(odd.standard_error, HasSubstr("net.bpnet"));
}

TEST(BenchCommandTest, RunsByAsManyThreadsAsThereAreCoresFor) {
  const std::vector<std::string> command = {"bench",  "--network", "resnet8",  "--isa",
                                            "scalar", "--json",    "--threads"};
  const auto run = [&command](const std::string& threads) {
    std::vector<std::string> arguments = command;
    arguments.push_back(threads);
    return RunBitpilotd(arguments);
  };
  const bool has_two = ChooseCores("", 2).ok();
  const ProgramEnd two = run("2");
  if (has_two) {
    ASSERT_EQ(two.exit_code, 0) << two.standard_error;
    const Json line = Json::parse(two.standard_output);
    EXPECT_EQ(line["threads"], 2);
    EXPECT_GE(line["threads_used"], 1);
    EXPECT_LE(line["threads_used"], 2);
    EXPECT_GT(line["latency_median_ns"], 0.0);
    EXPECT_GT(line["fraction_of_peak"], 0.0);
  } else {
    EXPECT_EQ(two.exit_code, 2);
    EXPECT_THAT(two.standard_error, HasSubstr("--threads 2"));
  }
  for (const char* bad : {"0", "65", "two"}) {
    const ProgramEnd end = run(bad);
    EXPECT_EQ(end.exit_code, 2) << bad;
    EXPECT_THAT(end.standard_error, HasSubstr("--threads")) << bad;
  }
}

TEST(BenchCommandTest, ExplainsBadInput) {
  const ProgramEnd network = RunBitpilotd({"bench", "--network", "resnet9"});
  EXPECT_EQ(network.exit_code, 2);
  EXPECT_THAT(network.standard_error, HasSubstr("resnet9"));
  EXPECT_THAT(network.standard_error, HasSubstr("resnet20-proj"));
  const ProgramEnd bits = RunBitpilotd({"bench", "--bits", "w9a4"});
  EXPECT_EQ(bits.exit_code, 2);
  EXPECT_THAT(bits.standard_error, HasSubstr("w9a4"));
  const ProgramEnd table = RunBitpilotd({"bench", "--bits", "w4a4", "--table"});
  EXPECT_EQ(table.exit_code, 2);
  EXPECT_THAT(table.standard_error, HasSubstr("--table"));
  const ProgramEnd isa = RunBitpilotd({"bench", "--isa", "sse9"});
  EXPECT_EQ(isa.exit_code, 2);
  EXPECT_THAT(isa.standard_error, HasSubstr("sse9"));
}

}  // namespace
}  // namespace bitpilot

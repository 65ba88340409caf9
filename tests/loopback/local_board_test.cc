#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "agent/device/kernel_choices_cache.h"
#include "agent/device/local_board.h"
#include "agent/fleet/board.h"
#include "kernels/base/file_io.h"
#include "kernels/base/standard_networks.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

// Folders of daemons that this process started.
int CountOwnFolders() {
  const std::string prefix = "bitpilot-local-" + std::to_string(getpid()) + "-";
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::temp_directory_path())) {
    count += entry.path().filename().string().starts_with(prefix);
  }
  return count;
}

void MeasureOnce(const Network& network) {
  const auto board = StartLocalBoard("local", {});
  ASSERT_TRUE(board.ok()) << board.status().message();
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  const Result<Measurement> measurement = (*board)->Measure(job);
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  ASSERT_TRUE(HasNumbers(measurement->status)) << measurement->detail;
}

TEST(StartLocalBoardTest, DescribesTheMachineAndLeavesNothingBehind) {
  {
    const auto board = StartLocalBoard("local:scalar", {});
    ASSERT_TRUE(board.ok()) << board.status().message();
    EXPECT_EQ((*board)->info().isa, "scalar");
    EXPECT_EQ((*board)->info().backend, "kernels");
    EXPECT_FALSE((*board)->info().is_model());
    EXPECT_FALSE((*board)->info().kernel_build.empty());
    EXPECT_FALSE((*board)->info().cpu_model.empty());
    EXPECT_EQ(CountOwnFolders(), 1);
  }
  EXPECT_EQ(CountOwnFolders(), 0);
}

// The second daemon reads what the first one found out. Where the margin is large it has nothing to
// find, and writes nothing.
TEST(StartLocalBoardTest, KeepsWhichKernelsWonForTheNextDaemon) {
  const TemporaryFolder cache;
  ASSERT_EQ(setenv("XDG_CACHE_HOME", cache.path().c_str(), /*overwrite=*/1), 0);
  const Topology topology = *StandardTopology("resnet8");
  // Every instruction set has more than one kernel for 1 x 2 bits.
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 1, 2), /*seed=*/1);
  MeasureOnce(network);
  const Result<std::string> first = ReadFile(KernelChoicesCachePath());
  ASSERT_TRUE(first.ok()) << first.status().message();
  std::string sure;
  std::istringstream lines(*first);
  int layers = 0;
  for (std::string line; std::getline(lines, line);) {
    // Core, layer, kernel, margin, lease.
    std::size_t tab = std::string::npos;
    if (std::count(line.begin(), line.end(), '\t') == 4) {
      ++layers;
      tab = line.rfind('\t', line.rfind('\t') - 1);
    }
    sure += tab == std::string::npos ? line : line.substr(0, tab) + "\t0.7500\tan earlier one";
    sure += '\n';
  }
  ASSERT_GT(layers, 0) << *first;
  ASSERT_TRUE(WriteFileAtomically(KernelChoicesCachePath(), sure).ok());
  MeasureOnce(network);
  const Result<std::string> second = ReadFile(KernelChoicesCachePath());
  ASSERT_TRUE(second.ok()) << second.status().message();
  EXPECT_EQ(*second, sure);
}

TEST(StartLocalBoardTest, TakesTheCpuThatIsNamedAndRefusesOthers) {
  BoardOptions options;
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  options.cpu = std::to_string(first);
  {
    const auto board = StartLocalBoard("local:scalar", options);
    ASSERT_TRUE(board.ok()) << board.status().message();
    EXPECT_EQ((*board)->info().cpu, first);
    EXPECT_FALSE((*board)->info().core.empty());
    // This program may have left its CPU to the board: the next daemon gets it all the same.
    if (CPU_COUNT(&allowed) > 1) {
      cpu_set_t others = allowed;
      CPU_CLR(first, &others);
      ASSERT_EQ(sched_setaffinity(0, sizeof others, &others), 0);
      const auto again = StartLocalBoard("local:scalar", options);
      ASSERT_EQ(sched_setaffinity(0, sizeof allowed, &allowed), 0);
      ASSERT_TRUE(again.ok()) << again.status().message();
      EXPECT_EQ((*again)->info().cpu, first);
    }
  }
  options.cpu = "99999";
  const Status none = StartLocalBoard("local:scalar", options).status();
  EXPECT_NE(none.message().find("--cpu 99999: no such CPU"), std::string::npos) << none.message();
  EXPECT_EQ(StartLocalBoard("model:" BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost", options)
                .status()
                .code(),
            StatusCode::kInvalidArgument);
}

TEST(StartLocalBoardTest, RefusesDevicesThatDoNotExist) {
  EXPECT_EQ(StartLocalBoard("banana", {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(StartLocalBoard("local:", {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(StartLocalBoard("local:z80", {}).status().code(), StatusCode::kInvalidArgument);
  const Status missing = StartLocalBoard("model:/nonexistent.table", {}).status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound) << "a file that is named, not a wrong flag";
  EXPECT_NE(missing.message().find("/nonexistent.table"), std::string::npos);
  BoardOptions fast;
  fast.fast = true;
  const Status no_model = StartLocalBoard("local:scalar", fast).status();
  EXPECT_EQ(no_model.code(), StatusCode::kInvalidArgument)
      << "a board takes the time that it takes";
  EXPECT_EQ(CountOwnFolders(), 0);
}

TEST(StartLocalBoardTest, AModelSaysThatItIsOne) {
  const auto board = StartLocalBoard("model:" BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost", {});
  ASSERT_TRUE(board.ok()) << board.status().message();
  EXPECT_TRUE((*board)->info().is_model());
  EXPECT_EQ((*board)->info().backend, "model:toy");
  EXPECT_EQ((*board)->info().model_source, "numbers of a test");
  const Network network = SmallNetwork(1);
  MeasureJob job;
  job.networks = {&network};
  const Result<Measurement> measurement = (*board)->Measure(job);
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  ASSERT_EQ(measurement->status, MeasureStatus::kOk) << measurement->detail;
  EXPECT_EQ(measurement->source, "MODEL:toy");
  EXPECT_EQ(measurement->networks[0].latency_median_ns, 2800.0);
  EXPECT_EQ(measurement->networks[0].model_energy, 2.0);
  EXPECT_EQ(measurement->networks[0].model_energy_unit, "uJ-model");
}

}  // namespace
}  // namespace bitpilot

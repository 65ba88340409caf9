#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "agent/fleet/board.h"
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

TEST(StartLocalBoardTest, RefusesDevicesThatDoNotExist) {
  EXPECT_EQ(StartLocalBoard("banana", {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(StartLocalBoard("local:", {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(StartLocalBoard("local:z80", {}).status().code(), StatusCode::kInvalidArgument);
  const Status missing = StartLocalBoard("model:/nonexistent.table", {}).status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
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

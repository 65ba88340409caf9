#include "agent/profile/model_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/profile/lut.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A table of one operation.
Lut OneOperationLut() {
  Lut lut;
  lut.name = "toy";
  lut.model = "resnet8";
  lut.source = "measured";
  LutEntry entry;
  entry.operation = "pool";
  entry.latency_ns = 12.0;
  lut.entries.push_back(entry);
  return lut;
}

class ModelBoardTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override {
    unsetenv("BITPILOT_BOARDS_DIR");
    std::filesystem::remove_all(folder_);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }

  const std::string folder_ = testing::TempDir() + "/boards-" + std::to_string(getpid());
};

TEST_F(ModelBoardTest, ReadsAProfileOrACostTable) {
  EXPECT_EQ(ReadModelBoard(Write("a", "\n  " + FormatLut(OneOperationLut()))).value().name, "toy");
  EXPECT_EQ(
      ReadModelBoard(Write("b", FormatCostTable(ToCostTable(OneOperationLut())))).value().name,
      "toy");
}

TEST_F(ModelBoardTest, ItsErrorsNameTheFile) {
  const std::string json = Write("json", "{}");
  EXPECT_THAT(ReadModelBoard(json).status().message(), StartsWith(json));
  const std::string empty = Write("empty", "");
  EXPECT_THAT(ReadModelBoard(empty).status().message(), StartsWith(empty));
  const auto missing = ReadModelBoard(folder_ + "/none").status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr(folder_ + "/none"));
}

TEST_F(ModelBoardTest, FindsAShippedBoardByName) {
  EXPECT_EQ(ReadModelBoard("mpic_resnet8").value().name, "mpic-resnet8");
  Write("my_board.cost", FormatCostTable(ToCostTable(OneOperationLut())));
  setenv("BITPILOT_BOARDS_DIR", folder_.c_str(), 1);
  EXPECT_EQ(ReadModelBoard("my_board").value().name, "toy");
  const auto unknown = ReadModelBoard("mpic_resnet8").status();
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(unknown.message(), HasSubstr("only: my_board"));
}

// Every shipped profile of a machine has every layer at every pair of widths from 2 to 8 bits.
TEST_F(ModelBoardTest, ShippedProfilesAreWhole) {
  int count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(BITPILOT_SOURCE_DIR "/experiments/boards")) {
    const std::string name = file.path().stem().string();
    if (file.path().extension() != ".cost" || name.starts_with("mpic")) continue;
    SCOPED_TRACE(name);
    ++count;
    const auto table = ReadModelBoard(name);
    ASSERT_TRUE(table.ok()) << table.status().message();
    EXPECT_EQ(table->name, name) << "results would name another board";
    EXPECT_THAT(table->source, HasSubstr("(measured)"));
    const Topology topology = StandardTopology(name.substr(name.rfind('_') + 1)).value();
    for (int weights = 2; weights <= 8; ++weights) {
      for (int activations = 2; activations <= 8; ++activations) {
        const auto cost =
            PredictCost(*table, topology, UniformAssignment(topology, weights, activations, true));
        ASSERT_TRUE(cost.ok()) << cost.status().message();
        EXPECT_GT(cost->latency_ns, 0.0);
      }
    }
  }
  EXPECT_GE(count, 6);
}

}  // namespace
}  // namespace bitpilot

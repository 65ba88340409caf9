#include "agent/session/check_before_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

// Every layer takes `bits of weights` ns, at any width of activations.
CostTable Table(const Topology& topology) {
  CostTable table;
  table.name = "test";
  for (const Operation& op : topology.operations) {
    if (!HasWeights(op)) continue;
    for (int weights = 1; weights <= 8; ++weights) {
      for (int activations = 1; activations <= 8; ++activations) {
        table.operations[{op.name, weights, activations}] =
            Cost{static_cast<double>(weights), std::nullopt};
      }
    }
  }
  return table;
}

class CheckBeforeSearchTest : public testing::Test {
 protected:
  CheckBeforeSearchTest() {
    config_.device = "model:test";
    config_.weight_widths = config_.activation_widths = {4, 8};
  }
  Status Check() const { return CheckModelBoard(table_, topology_, config_); }
  void ExpectRefused(const std::string& message) const {
    EXPECT_EQ(Check().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(Check().message(), HasSubstr(message));
  }

  const Topology topology_ = StandardTopology("resnet8").value();
  CostTable table_ = Table(topology_);
  SearchConfig config_;
};

TEST_F(CheckBeforeSearchTest, TakesATableThatReaches) { EXPECT_TRUE(Check().ok()); }

TEST_F(CheckBeforeSearchTest, NamesTheReferenceThatTheTableLacks) {
  table_.operations.erase({"conv2d_3", 8, 8});
  ExpectRefused("uniform 8 bit");
  ExpectRefused("op conv2d_3 w 8 a 8");
}

TEST_F(CheckBeforeSearchTest, TakesATableWithoutUniform4Bit) {
  table_.operations.erase({"conv2d_3", 4, 4});
  EXPECT_TRUE(Check().ok());
  std::erase_if(table_.operations, [](const auto& row) {
    const auto& [name, weights, activations] = row.first;
    return (weights != 2 && weights != 8) || (activations != 2 && activations != 8);
  });
  config_.weight_widths = config_.activation_widths = {2, 8};
  EXPECT_TRUE(Check().ok());
}

TEST_F(CheckBeforeSearchTest, NamesTheLayerThatHasNoneOfTheWidths) {
  config_.weight_widths = {2, 3};
  for (int activations = 1; activations <= 8; ++activations) {
    table_.operations.erase({"conv2d_3", 2, activations});
    table_.operations.erase({"conv2d_3", 3, activations});
  }
  ExpectRefused("no time of layer conv2d_3 at any of the search's widths");
}

// Eight of ResNet-8's ten layers are searched: 2 * 8 + 8 * 4 = 48 of 80 ns are 0.6.
TEST_F(CheckBeforeSearchTest, RefusesALatencyBelowTheFastestNetwork) {
  config_.budgets.max_latency_ratio = 0.6;
  EXPECT_TRUE(Check().ok());
  config_.budgets.max_latency_ratio = 0.59;
  ExpectRefused("--max-latency 0.59x: no network of the search's widths is below 0.600x");
}

TEST_F(CheckBeforeSearchTest, RefusesEnergyThatTheTableDoesNotHave) {
  config_.energy = "search";
  ExpectRefused("its table has none");
  table_.energy_unit = "uJ-model";
  for (auto& [key, cost] : table_.operations) cost.energy = cost.latency_ns;
  EXPECT_TRUE(Check().ok());
  config_.budgets.max_energy_ratio = 0.5;
  ExpectRefused("--max-energy 0.5x: no network");
}

TEST_F(CheckBeforeSearchTest, RefusesASizeBelowTheSmallestNetwork) {
  BitAssignment smallest = UniformAssignment(topology_, 4, 4);
  const std::int64_t bytes = WeightBytes(topology_, smallest);
  config_.budgets.max_weight_bytes = bytes;
  EXPECT_TRUE(CheckSizeBudget(topology_, config_).ok());
  config_.budgets.max_weight_bytes = bytes - 1;
  const Status refused = CheckSizeBudget(topology_, config_);
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("has " + std::to_string(bytes) + " bytes"));
}

}  // namespace
}  // namespace bitpilot

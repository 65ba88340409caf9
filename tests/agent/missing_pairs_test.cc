#include "agent/profile/missing_pairs.h"

#include <gtest/gtest.h>

#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

TEST(NeededPairsTest, LeaveTheEndsAtEightBitsUnlessTheyAreSearched) {
  const Topology topology = StandardTopology("resnet8").value();
  const std::vector<int> layers = LayerOperations(topology);
  const std::string first = topology.operations[static_cast<std::size_t>(layers.front())].name;
  const std::string last = topology.operations[static_cast<std::size_t>(layers.back())].name;
  const std::string middle = topology.operations[static_cast<std::size_t>(layers[1])].name;
  const std::set<PairKey> without = NeededPairs(topology, {{2, 4}, {4}, false});
  EXPECT_TRUE(without.contains({first, 8, 8}));
  EXPECT_FALSE(without.contains({first, 2, 8}));
  EXPECT_FALSE(without.contains({last, 2, 8}));
  EXPECT_TRUE(without.contains({middle, 2, 4}));
  EXPECT_TRUE(without.contains({middle, 2, 8})) << "8 bits are always among them";
  // Two ends at 8 x 8, eight layers at 3 x 2 pairs.
  EXPECT_EQ(without.size(), 2U + 8U * 6U);
  const std::set<PairKey> with = NeededPairs(topology, {{2, 4}, {4}, true});
  EXPECT_TRUE(with.contains({first, 2, 8}));
  EXPECT_FALSE(with.contains({first, 2, 4})) << "the input always has 8 bits";
  EXPECT_TRUE(with.contains({last, 2, 4}));
  EXPECT_EQ(with.size(), 3U + 9U * 6U);
}

TEST(FlagsWithoutTest, NameTheWidthsThatHaveAllTheirPairs) {
  const SearchWidths widths{{2, 3, 4, 8}, {2, 3, 4, 8}, false};
  std::set<WidthPair> missing;
  for (const int weights : {2, 3, 4, 8}) {
    for (const int activations : {2, 3, 4, 8}) {
      if (weights < 4 || activations < 4) missing.insert({weights, activations});
    }
  }
  EXPECT_EQ(FlagsWithout(missing, widths), "--widths 4,8") << "as a table of 4 and 8 bits";
  EXPECT_EQ(FlagsWithout({{2, 8}, {2, 2}, {3, 3}, {3, 2}}, widths),
            "--weight-widths 4,8 --activation-widths 2,3,4,8");
  EXPECT_EQ(FlagsWithout({{8, 3}, {4, 3}}, widths),
            "--weight-widths 2,3,4,8 --activation-widths 2,4,8");
  EXPECT_EQ(FlagsWithout({{2, 8}, {2, 4}, {8, 4}}, {{2}, {4}, false}), "") << "nothing is left";
}

TEST(FillMissingPairsTest, TakesTheNextWiderPairAndNeverANarrowerOne) {
  CostTable table;
  table.operations[{"a", 2, 2}] = {1.0, std::nullopt};
  table.operations[{"a", 3, 8}] = {2.0, std::nullopt};
  table.operations[{"a", 6, 4}] = {3.0, 0.5};
  table.operations[{"a", 8, 8}] = {9.0, std::nullopt};
  table.operations[{"b", 8, 8}] = {7.0, std::nullopt};
  const std::vector<PairKey> filled = FillMissingPairs(
      {{"a", 2, 4}, {"a", 2, 2}, {"a", 4, 4}, {"a", 7, 2}, {"b", 2, 2}, {"c", 2, 2}}, table);
  EXPECT_EQ(filled, (std::vector<PairKey>{{"a", 2, 4}, {"a", 4, 4}, {"a", 7, 2}, {"b", 2, 2}}));
  // 3 x 8 has 5 bits more, 6 x 4 has 4.
  EXPECT_EQ(table.operations.at({"a", 2, 4}).latency_ns, 3.0);
  EXPECT_EQ(table.operations.at({"a", 2, 4}).energy, 0.5);
  EXPECT_EQ(table.operations.at({"a", 4, 4}).latency_ns, 3.0);
  EXPECT_EQ(table.operations.at({"a", 7, 2}).latency_ns, 9.0);
  EXPECT_EQ(table.operations.at({"a", 2, 2}).latency_ns, 1.0) << "what was measured stays";
  EXPECT_EQ(table.operations.at({"b", 2, 2}).latency_ns, 7.0);
  EXPECT_FALSE(table.operations.contains({"c", 2, 2})) << "nothing stands for it";
}

TEST(FillMissingPairsTest, TakesOfTwoEquallyNearPairsTheOneOfFewerWeightBits) {
  CostTable table;
  table.operations[{"a", 3, 4}] = {1.0, std::nullopt};
  table.operations[{"a", 4, 3}] = {2.0, std::nullopt};
  FillMissingPairs({{"a", 3, 3}}, table);
  EXPECT_EQ(table.operations.at({"a", 3, 3}).latency_ns, 1.0);
}

}  // namespace
}  // namespace bitpilot

// The table of several classes.
#include "agent/session/joint_problem.h"

#include <gtest/gtest.h>

#include <string>

#include "kernels/base/standard_networks.h"
#include "tests/agent/small_search.h"

namespace bitpilot {
namespace {

const ClassObjective kMean{ClassObjective::Kind::kMean};

ClassFacts FactsOf(const std::string& on, const CostTable& table) {
  ClassFacts facts;
  facts.on = on;
  facts.table = FormatCostTable(table);
  return facts;
}

double RatioOf(const CostTable& table, int bits) {
  const Topology topology = StandardTopology("resnet8").value();
  const auto latency = [&](int each) {
    return PredictCost(table, topology, UniformAssignment(topology, each, each))->latency_ns;
  };
  return latency(bits) / latency(8);
}

TEST(JointTableTest, PredictsTheMeanOfTheRatiosWhateverTheTimes) {
  const Topology topology = StandardTopology("resnet8").value();
  CostTable slow = SlopeTable(2.0);
  slow.overhead_latency_ns *= 1000;
  for (auto& [key, cost] : slow.operations) cost.latency_ns *= 1000;
  const CostTable fast = SlopeTable(0.0);
  const CostTable joint =
      ValueOrDie(JointTable(topology, kMean, {FactsOf("a", fast), FactsOf("b", slow)}));
  EXPECT_NEAR(RatioOf(joint, 4), (RatioOf(fast, 4) + RatioOf(slow, 4)) / 2, 1e-9);
  const auto uniform8 = UniformAssignment(topology, 8, 8);
  EXPECT_NEAR(PredictCost(joint, topology, uniform8)->latency_ns,
              PredictCost(fast, topology, uniform8)->latency_ns, 1e-3)
      << "on the scale of the first";
}

TEST(JointTableTest, OfOneClassIsItsOwn) {
  const Topology topology = StandardTopology("resnet8").value();
  const CostTable own = SlopeTable(2.0);
  const CostTable joint = ValueOrDie(JointTable(topology, {ClassObjective::Kind::kOne, "b"},
                                                {FactsOf("a", SlopeTable()), FactsOf("b", own)}));
  EXPECT_EQ(FormatCostTable(joint), FormatCostTable(own));
}

TEST(JointTableTest, LeavesOutAPairThatAClassLacks) {
  const Topology topology = StandardTopology("resnet8").value();
  CostTable lacks = SlopeTable();
  const auto pair = std::tuple(lacks.operations.begin()->first);
  lacks.operations.erase(pair);
  const CostTable joint =
      ValueOrDie(JointTable(topology, kMean, {FactsOf("a", SlopeTable()), FactsOf("b", lacks)}));
  EXPECT_FALSE(joint.operations.contains(pair));
  EXPECT_EQ(joint.operations.size(), lacks.operations.size());
}

}  // namespace
}  // namespace bitpilot

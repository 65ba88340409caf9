// The networks by which boards of a class are compared.
#include "agent/session/reference_networks.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

SearchConfig ConfigOf(const std::vector<int>& widths) {
  SearchConfig config;
  config.weight_widths = config.activation_widths = widths;
  return config;
}

TEST(ReferenceNetworksTest, BeginWithUniform8BitAndTheLowestWidthsAndAreAllDifferent) {
  const Topology topology = StandardTopology("resnet8").value();
  const auto assignments = ReferenceAssignments(topology, ConfigOf({2, 4, 8}));
  ASSERT_EQ(assignments.size(), kMaxReferenceNetworks);
  EXPECT_EQ(assignments[0], UniformAssignment(topology, 8, 8));
  EXPECT_EQ(assignments[1], UniformAssignment(topology, 2, 2));
  EXPECT_EQ(assignments[2], UniformAssignment(topology, 2, 8));
  EXPECT_EQ(assignments[3], UniformAssignment(topology, 8, 2));
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    EXPECT_TRUE(ValidateAssignment(topology, assignments[i]).ok());
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(assignments[i], assignments[j]);
  }
}

TEST(ReferenceNetworksTest, AreAsManyAsTheSearchHas) {
  const Topology topology = StandardTopology("resnet8").value();
  EXPECT_EQ(ReferenceAssignments(topology, ConfigOf({8})).size(), 1U);
}

TEST(ReferenceNetworksTest, AreTheSameEveryTimeAndForEverySeed) {
  const Topology topology = StandardTopology("resnet8").value();
  SearchConfig config = ConfigOf({2, 4, 8});
  const auto assignments = ReferenceAssignments(topology, config);
  config.seed = 17;
  EXPECT_EQ(ReferenceAssignments(topology, config), assignments);
  const std::vector<Network> networks = ReferenceNetworks(topology, {assignments[0]});
  ASSERT_EQ(networks.size(), 1U);
  EXPECT_TRUE(ValidateNetwork(networks.front()).ok());
}

}  // namespace
}  // namespace bitpilot

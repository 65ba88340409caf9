#include "agent/qat/channel_probes.h"

#include <gtest/gtest.h>

#include <numeric>

namespace bitpilot {
namespace {

// One variable for each of `count` channels of a layer.
std::vector<DecisionVariable> ChannelsOf(int layer, int count) {
  std::vector<DecisionVariable> variables;
  for (int c = 0; c < count; ++c) {
    DecisionVariable variable;
    variable.index = layer;
    variable.name = "channel " + std::to_string(c);
    variable.widths = {2, 4, 8};
    variable.channels = {c, 1};
    variables.push_back(variable);
  }
  return variables;
}

DecisionVariable Tensor(int index) {
  DecisionVariable variable;
  variable.kind = PositionKind::kActivations;
  variable.index = index;
  variable.widths = {2, 8};
  return variable;
}

TEST(ChannelProbesTest, FewVariablesAreEachProbed) {
  std::vector<DecisionVariable> variables = ChannelsOf(1, 64);
  variables.push_back(Tensor(3));
  const std::vector<ChannelProbe> probes = MakeChannelProbes(variables);
  ASSERT_EQ(probes.size(), 65U);
  for (std::size_t i = 0; i < probes.size(); ++i) {
    EXPECT_EQ(probes[i].members, std::vector<std::size_t>{i});
    EXPECT_TRUE(probes[i].probed.ties.empty());
  }
}

TEST(ChannelProbesTest, ManyAreProbedByLayerSoThatTheTimeIsBounded) {
  std::vector<DecisionVariable> variables = ChannelsOf(1, 40);
  const std::vector<DecisionVariable> others = ChannelsOf(2, 40);
  variables.insert(variables.end(), others.begin(), others.end());
  variables[5].widths = {3, 8};
  variables.push_back(Tensor(3));
  DecisionVariable tied = variables[79];
  variables.erase(variables.begin() + 79);
  tied.ties = {{PositionKind::kActivations, 4, {}}};
  variables.push_back(tied);
  const std::vector<ChannelProbe> probes = MakeChannelProbes(variables);
  // Two layers, the tensor, and the tied one.
  ASSERT_EQ(probes.size(), 4U);
  EXPECT_EQ(probes[0].members.size(), 40U);
  EXPECT_EQ(probes[1].members.size(), 39U);
  EXPECT_EQ(probes[0].probed.widths, (std::vector<int>{2, 3, 4, 8}));
  const std::vector<BitPosition> positions = PositionsOf(probes[0].probed);
  ASSERT_EQ(positions.size(), 40U);
  for (int c = 0; c < 40; ++c) {
    EXPECT_EQ(positions[static_cast<std::size_t>(c)],
              (BitPosition{PositionKind::kWeights, 1, {c, 1}}));
  }
  EXPECT_EQ(probes[2].members, std::vector<std::size_t>{79});
  EXPECT_EQ(probes[3].probed.ties.size(), 1U);
}

TEST(ChannelProbesTest, SharesFollowTheErrorAndAddUpToWhatWasProbed) {
  const std::vector<DecisionVariable> variables = ChannelsOf(0, 66);
  const std::vector<ChannelProbe> probes = MakeChannelProbes(variables);
  ASSERT_EQ(probes.size(), 1U);
  // Two weights a channel. Channel 0 has none but zeros: no error at any width. Channel 1 is twice
  // channel 2: four times its error. Channel 3 is channel 2 before a batch norm of three times the
  // scale.
  std::vector<float> weights(2 * 66, 0.0F);
  std::vector<double> scale(66, 1.0);
  weights[2] = 2.0F;
  weights[3] = 1.4F;
  weights[4] = weights[6] = 1.0F;
  weights[5] = weights[7] = 0.7F;
  scale[3] = 3.0;
  std::vector<std::vector<double>> increases(variables.size());
  ShareIncrease(probes[0], {0.7, 0.1, 0.0}, variables, weights, scale, increases);
  for (std::size_t k = 0; k < 3; ++k) {
    double total = 0.0;
    for (const std::vector<double>& row : increases) total += row[k];
    EXPECT_NEAR(total, (std::vector<double>{0.7, 0.1, 0.0})[k], 1e-12);
  }
  EXPECT_EQ(increases[0][0], 0.0);
  EXPECT_EQ(increases[65][0], 0.0);
  // 4 + 1 + 9 parts.
  EXPECT_NEAR(increases[1][0], 0.7 * 4 / 14, 1e-6);
  EXPECT_NEAR(increases[2][0], 0.7 * 1 / 14, 1e-6);
  EXPECT_NEAR(increases[3][0], 0.7 * 9 / 14, 1e-6);
}

TEST(ChannelProbesTest, ChannelsWithoutErrorShareByTheirNumber) {
  std::vector<DecisionVariable> variables = ChannelsOf(0, 66);
  variables[65].channels = {65, 35};
  const std::vector<ChannelProbe> probes = MakeChannelProbes(variables);
  std::vector<std::vector<double>> increases(variables.size());
  ShareIncrease(probes[0], {1.0, -0.5, 0.0}, variables, std::vector<float>(200, 0.0F),
                std::vector<double>(100, 1.0), increases);
  EXPECT_NEAR(increases[0][0], 0.01, 1e-12);
  EXPECT_NEAR(increases[65][0], 0.35, 1e-12);
  EXPECT_NEAR(increases[65][1], -0.175, 1e-12);
}

TEST(ChannelProbesTest, AVariableOfItsOwnProbeGetsAllOfIt) {
  const std::vector<DecisionVariable> variables = {Tensor(1)};
  std::vector<std::vector<double>> increases(1);
  ShareIncrease(MakeChannelProbes(variables)[0], {0.25, 0.0}, variables, {}, {}, increases);
  EXPECT_EQ(increases[0], (std::vector<double>{0.25, 0.0}));
}

}  // namespace
}  // namespace bitpilot

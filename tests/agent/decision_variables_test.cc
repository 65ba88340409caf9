#include "agent/session/decision_variables.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "kernels/base/standard_networks.h"
#include "tests/policies/grouped_problem.h"

namespace bitpilot {
namespace {

using Kind = DecisionVariable::Kind;

std::vector<DecisionVariable> VariablesOf(const Topology& topology, const std::string& granularity,
                                          bool search_ends) {
  SearchConfig config;
  config.granularity = granularity;
  config.search_ends = search_ends;
  return MakeDecisionVariables(topology, config);
}

TEST(DecisionVariablesTest, CoverEveryChannelOnce) {
  for (const Topology& topology :
       {StandardTopology("resnet8").value(), StandardTopology("mobilenet-v1-025").value(),
        StandardTopology("mobilenet-v2").value(), UnevenTopology()}) {
    const std::vector<int> layers = LayerOperations(topology);
    for (const char* granularity : {"layer", "group", "channel"}) {
      for (const bool ends : {false, true}) {
        SCOPED_TRACE(testing::Message() << topology.name << " by " << granularity << ends);
        std::map<int, int> channels;  // of each layer
        std::set<std::string> names;
        for (const DecisionVariable& variable : VariablesOf(topology, granularity, ends)) {
          EXPECT_TRUE(variable.ties.empty());
          EXPECT_TRUE(
              names.insert(variable.name + (variable.kind == Kind::kWeights ? "w" : "a")).second)
              << variable.name;
          if (variable.kind != Kind::kWeights) continue;
          const Operation& op = topology.operations[static_cast<std::size_t>(
              layers[static_cast<std::size_t>(variable.index)])];
          const ChannelRange range = Resolved(variable.channels, op.out_channels);
          EXPECT_EQ(range.first, channels[variable.index]) << "in order, without gaps";
          channels[variable.index] += range.count;
        }
        EXPECT_EQ(channels.size(), layers.size() - (ends ? 0U : 2U));
        for (const auto& [layer, count] : channels) {
          EXPECT_EQ(
              count,
              topology.operations[static_cast<std::size_t>(layers[static_cast<std::size_t>(layer)])]
                  .out_channels);
        }
      }
    }
  }
}

TEST(DecisionVariablesTest, GroupsAreSixteenChannelsAndTheRest) {
  const Topology topology = UnevenTopology();
  std::map<std::string, ChannelRange> ranges;
  for (const DecisionVariable& variable : VariablesOf(topology, "group", true)) {
    if (variable.kind == Kind::kWeights) ranges[variable.name] = variable.channels;
  }
  EXPECT_EQ(ranges, (std::map<std::string, ChannelRange>{{"first[0..15]", {0, 16}},
                                                         {"first[16..23]", {16, 8}},
                                                         {"depthwise[0..15]", {0, 16}},
                                                         {"depthwise[16..23]", {16, 8}},
                                                         {"wide[0..15]", {0, 16}},
                                                         {"wide[16..31]", {16, 16}},
                                                         {"wide[32..39]", {32, 8}},
                                                         {"single", {}},
                                                         {"last", {}}}));
}

TEST(DecisionVariablesTest, ALayerOfOneChannelIsAWholeLayer) {
  int singles = 0;
  for (const DecisionVariable& variable : VariablesOf(UnevenTopology(), "channel", false)) {
    if (variable.name == "single" && variable.kind == Kind::kWeights) {
      EXPECT_EQ(variable.channels, ChannelRange{});
      ++singles;
    }
    if (variable.name == "wide[7]") {
      EXPECT_EQ(variable.channels, (ChannelRange{7, 1}));
      ++singles;
    }
  }
  EXPECT_EQ(singles, 2);
}

TEST(DecisionVariablesTest, LayersAreWholeUnlessAskedFor) {
  SearchConfig config;
  EXPECT_EQ(config.granularity, "layer");
  for (const DecisionVariable& variable :
       MakeDecisionVariables(StandardTopology("resnet8").value(), config)) {
    EXPECT_EQ(variable.channels, ChannelRange{});
  }
}

}  // namespace
}  // namespace bitpilot

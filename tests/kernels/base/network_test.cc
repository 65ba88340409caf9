#include "kernels/base/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "kernels/base/standard_networks.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

// The error for SmallNetwork() with one change.
template <typename Change>
std::string ErrorAfter(const Change& change) {
  Network network = SmallNetwork();
  change(network);
  const Status status = ValidateNetwork(network);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  return status.message();
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ValidateNetworkTest, RefusesWrongSizes) {
  EXPECT_THAT(ErrorAfter([](Network& n) { n.input_codes.pop_back(); }),
              HasSubstr("input_codes must have 768 entries, got 767"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.tensors.pop_back(); }),
              HasSubstr("tensors must have 8 entries, got 7"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.operations.emplace_back(); }),
              HasSubstr("operations must have 8 entries, got 9"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.operations[1].weights.channel_bits.pop_back(); }),
              HasSubstr("operation grouped: channel_bits must have 4 entries, got 3"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.operations[1].weights.codes.push_back(1); }),
              HasSubstr("operation grouped: codes must have 36 entries, got 37"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.operations[2].weights.channel_bits.push_back(8); }),
              HasSubstr("operation max: channel_bits must have 0 entries, got 1"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.operations[2].output.scale.pop_back(); }),
              HasSubstr("operation max: scale must have 4 entries, got 3"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.operations[7].output.bias.push_back(0.0F); }),
              HasSubstr("operation fc: bias must have 5 entries, got 6"));
}

TEST(ValidateNetworkTest, RefusesTopologyErrors) {
  EXPECT_THAT(ErrorAfter([](Network& n) { n.topology.operations[1].groups = 4; }),
              HasSubstr("groups"));
}

TEST(ValidateNetworkTest, RefusesWeightsOutsideTheirWidth) {
  const auto error = [](int bits, int code) {
    return ErrorAfter([&](Network& n) {
      n.operations[1].weights.channel_bits[3] = static_cast<std::uint8_t>(bits);
      std::fill_n(n.operations[1].weights.codes.begin() + 27, 9, std::int8_t{1});
      n.operations[1].weights.codes[35] = static_cast<std::int8_t>(code);
    });
  };
  EXPECT_THAT(
      error(8, -128),
      HasSubstr("operation grouped: channel 3: weight code must be inside 8 bits, got -128"));
  EXPECT_THAT(error(4, 8), HasSubstr("inside 4 bits, got 8"));
  EXPECT_THAT(error(4, -8), HasSubstr("inside 4 bits, got -8"));
  EXPECT_THAT(error(2, -2), HasSubstr("inside 2 bits, got -2"));
  EXPECT_THAT(error(1, 0), HasSubstr("inside 1 bits, got 0"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.operations[1].weights.channel_bits[3] = 0; }),
              HasSubstr("operation grouped: codes must have 27 entries, got 36"));
  EXPECT_THAT(error(9, 0), HasSubstr("channel 3: bits must be in [0, 8], got 9"));
}

TEST(ValidateNetworkTest, RefusesTensorsOutsideTheirRange) {
  EXPECT_THAT(ErrorAfter([](Network& n) { n.tensors[2].bits = 0; }),
              HasSubstr("tensor grouped: bits must be in [1, 8], got 0"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.tensors[2].bits = 9; }), HasSubstr("got 9"));
  EXPECT_THAT(ErrorAfter([](Network& n) {
                n.tensors[2].bits = 3;
                n.tensors[2].zero_point = 8;
              }),
              HasSubstr("tensor grouped: zero_point must be in [0, 7], got 8"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.tensors[2].zero_point = -1; }), HasSubstr("got -1"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.tensors[1].zero_point = 1; }),
              HasSubstr("tensor conv: zero_point must be 0 after ReLU, got 1"));
  EXPECT_THAT(ErrorAfter([](Network& n) { n.tensors[0].bits = 7, n.tensors[0].zero_point = 0; }),
              HasSubstr("tensor input: bits must be 8, got 7"));
  for (const float scale : {0.0F, -1.0F, kNan, kInfinity}) {
    EXPECT_THAT(ErrorAfter([&](Network& n) { n.tensors[3].scale = scale; }),
                HasSubstr("tensor max: scale must be positive and finite"));
  }
}

TEST(ValidateNetworkTest, RefusesOutputStagesThatAreNotFiniteOrTooLarge) {
  for (const float value : {kNan, kInfinity, -kInfinity, 1.01e20F, -1.01e20F}) {
    EXPECT_THAT(ErrorAfter([&](Network& n) { n.operations[0].output.scale[5] = value; }),
                HasSubstr("operation conv: scale must be finite"));
    EXPECT_THAT(ErrorAfter([&](Network& n) { n.operations[0].output.bias[0] = value; }),
                HasSubstr("operation conv: bias must be finite"));
    EXPECT_THAT(ErrorAfter([&](Network& n) { n.operations[4].output.residual_scale = value; }),
                HasSubstr("operation residual: residual_scale must be finite"));
  }
}

TEST(ValidateNetworkTest, AcceptsNegativeAndHugeScales) {
  Network network = SmallNetwork();
  network.operations[0].output.scale = {-1e20F, 1e20F, 0.0F, -0.0F, 1e-45F, 3.5F};
  EXPECT_TRUE(ValidateNetwork(network).ok()) << ValidateNetwork(network).message();
}

TEST(ValidateNetworkTest, RefusesCodeRangesOutsideTheOutput) {
  const auto error = [](int code_min, int code_max) {
    return ErrorAfter([&](Network& n) {
      n.tensors[2].bits = 4;
      n.tensors[2].zero_point = 0;
      n.operations[1].output.code_min = code_min;
      n.operations[1].output.code_max = code_max;
    });
  };
  EXPECT_THAT(error(0, 16), HasSubstr("operation grouped: code_max must be in [0, 15], got 16"));
  EXPECT_THAT(error(0, -1), HasSubstr("code_max must be in [0, 15], got -1"));
  EXPECT_THAT(error(5, 4), HasSubstr("code_min must be in [0, code_max = 4], got 5"));
  EXPECT_THAT(error(-1, 4), HasSubstr("got -1"));
}

TEST(AssignmentOfTest, MergesChannelsIntoRuns) {
  Network network = SmallNetwork();
  network.operations[1].weights.channel_bits = {8, 8, 5, 8};
  const BitAssignment assignment = AssignmentOf(network);
  EXPECT_EQ(assignment.weight_bits[1], (std::vector<ChannelRun>{{2, 8}, {1, 5}, {1, 8}}));
  EXPECT_EQ(assignment.activation_bits[3], network.tensors[3].bits);
}

TEST(RandomNetworkTest, IsValidAndHasTheAskedWidths) {
  for (const char* name : {"resnet8", "resnet20", "mobilenet-v1-025"}) {
    const Topology topology = *StandardTopology(name);
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const BitAssignment assignment = RandomAssignment(topology, seed);
      const Network network = RandomNetwork(topology, assignment, seed);
      EXPECT_TRUE(ValidateNetwork(network).ok())
          << name << ": " << ValidateNetwork(network).message();
      EXPECT_EQ(CanonicalText(AssignmentOf(network)), CanonicalText(assignment)) << name;
    }
  }
}

TEST(RandomNetworkTest, DependsOnTheSeedOnly) {
  EXPECT_EQ(SmallNetwork(), SmallNetwork());
  const Topology topology = EveryOperationTopology();
  EXPECT_NE(RandomNetwork(topology, RandomAssignment(topology, 5), 18), SmallNetwork());
}

TEST(RandomNetworkTest, UsesTheExtremesAndBothSigns) {
  const Topology topology = *StandardTopology("resnet8");
  for (int bits = 1; bits <= 8; ++bits) {
    const Network network =
        RandomNetwork(topology, UniformAssignment(topology, bits, bits, true), 11);
    const int limit = bits == 1 ? 1 : (1 << (bits - 1)) - 1;
    int negative_scales = 0;
    for (const int layer : LayerOperations(topology)) {
      const QuantizedOperation& op = network.operations[static_cast<std::size_t>(layer)];
      const auto [low, high] =
          std::minmax_element(op.weights.codes.begin(), op.weights.codes.end());
      EXPECT_EQ(*low, -limit) << bits;
      EXPECT_EQ(*high, limit) << bits;
      negative_scales +=
          static_cast<int>(std::ranges::count_if(op.output.scale, [](float s) { return s < 0; }));
    }
    EXPECT_GT(negative_scales, 0);
  }
  std::set<int> zero_points;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    zero_points.insert(
        RandomNetwork(topology, UniformAssignment(topology, 4, 2), seed).tensors[5].zero_point);
  }
  EXPECT_EQ(zero_points, (std::set<int>{0, 1, 2, 3}));  // conv2d_5 has no ReLU.
}

}  // namespace
}  // namespace bitpilot

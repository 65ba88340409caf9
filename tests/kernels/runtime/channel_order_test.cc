#include "kernels/runtime/channel_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "kernels/base/standard_networks.h"
#include "kernels/output/output_args.h"
#include "kernels/reference.h"
#include "tests/kernels/random_networks.h"
#include "tests/kernels/random_topology.h"

namespace bitpilot {
namespace {

std::vector<float> Logits(const Network& network) {
  std::mt19937_64 random(/*seed=*/7);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()));
  std::generate(pixels.begin(), pixels.end(), [&random] { return std::uint8_t(random()); });
  return RunReference(network, pixels);
}

// Every channel at a width of its own.
BitAssignment ScatteredAssignment(const Topology& topology, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  BitAssignment assignment = UniformAssignment(topology, 8, 8);
  for (std::vector<ChannelRun>& runs : assignment.weight_bits) {
    const auto channels = ExpandRuns(runs).size();
    runs.assign(channels, ChannelRun{1, 8});
    for (ChannelRun& run : runs) run.bits = RandomInteger(random, 0, 1) == 0 ? 8 : 0;
  }
  return assignment;
}

// Blocks of 16 channels that hold a wide channel.
int WideBlocks(const LayerWeights& weights) {
  int wide = 0;
  for (std::size_t first = 0; first < weights.channel_bits.size(); first += kBlockChannels) {
    const auto begin = weights.channel_bits.begin() + static_cast<std::ptrdiff_t>(first);
    const auto length = std::min<std::size_t>(kBlockChannels, weights.channel_bits.size() - first);
    wide += *std::max_element(begin, begin + static_cast<std::ptrdiff_t>(length)) == 8 ? 1 : 0;
  }
  return wide;
}

TEST(GroupChannelsByWidthTest, LeavesUniformNetworksAlone) {
  const Topology topology = StandardTopology("resnet20").value();
  EXPECT_EQ(GroupChannelsByWidth(RandomNetwork(topology, UniformAssignment(topology, 4, 4), 1)),
            std::nullopt);
}

TEST(GroupChannelsByWidthTest, KeepsTheFunctionOfEveryNetwork) {
  int num_changed = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Topology topology = RandomTopologyMaker(seed).Make(6);
    const Network network = RandomNetwork(topology, ScatteredAssignment(topology, seed), seed);
    const std::optional<Network> grouped = GroupChannelsByWidth(network);
    if (!grouped) continue;
    ++num_changed;
    ASSERT_EQ(ValidateNetwork(*grouped).message(), "");
    ASSERT_EQ(Logits(*grouped), Logits(network));
  }
  EXPECT_GT(num_changed, 10) << "few random networks have more than a block of channels";
}

TEST(GroupChannelsByWidthTest, KeepsTheFunctionOfStandardNetworks) {
  for (const char* name : {"resnet8", "resnet20", "resnet20-proj", "mobilenet-v1-025"}) {
    SCOPED_TRACE(name);
    const Topology topology = StandardTopology(name).value();
    const Network network = RandomNetwork(topology, ScatteredAssignment(topology, 3), /*seed=*/3);
    const std::optional<Network> grouped = GroupChannelsByWidth(network);
    ASSERT_TRUE(grouped.has_value());
    EXPECT_EQ(Logits(*grouped), Logits(network));
  }
}

// Half of the channels are wide, at random places: before, every block has some; after, half do.
TEST(GroupChannelsByWidthTest, MakesBlocksPure) {
  const Topology topology = StandardTopology("resnet20").value();
  BitAssignment assignment = UniformAssignment(topology, 2, 8);
  const int layer = 15;  // layer3.0.conv1: nothing is added to its 64 channels
  assignment.weight_bits[layer].assign(64, ChannelRun{1, 2});
  for (std::size_t c = 0; c < 64; c += 2) assignment.weight_bits[layer][c].bits = 8;
  const Network network = RandomNetwork(topology, assignment, /*seed=*/5);
  const auto operation =
      static_cast<std::size_t>(LayerOperations(topology)[static_cast<std::size_t>(layer)]);
  ASSERT_EQ(topology.operations[operation].out_channels, 64);
  EXPECT_EQ(WideBlocks(network.operations[operation].weights), 4);
  const std::optional<Network> grouped = GroupChannelsByWidth(network);
  ASSERT_TRUE(grouped.has_value());
  EXPECT_EQ(WideBlocks(grouped->operations[operation].weights), 2);
}

}  // namespace
}  // namespace bitpilot

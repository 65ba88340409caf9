#include "kernels/compiled_network.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/reference.h"
#include "tests/kernels/random_topology.h"

namespace bitpilot {
namespace {

std::vector<std::uint8_t> RandomPixels(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count));
  for (std::uint8_t& pixel : pixels) {
    pixel = static_cast<std::uint8_t>(random());
  }
  return pixels;
}

std::string Describe(const Network& network) {
  std::string text = ToString(AssignmentOf(network));
  for (const Operation& op : network.topology.operations) {
    text += "\n  " + std::string(ToString(op.kind)) + " in " + std::to_string(op.input) + " out " +
            std::to_string(op.out_channels) + " k " + std::to_string(op.kernel_h) + "x" +
            std::to_string(op.kernel_w) + " s " + std::to_string(op.stride_h) + "x" +
            std::to_string(op.stride_w) + " g " + std::to_string(op.groups) + " res " +
            std::to_string(op.residual);
  }
  return text;
}

void ExpectMatchesReference(const Network& network, Isa isa, std::uint64_t seed) {
  Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {.isa = isa});
  ASSERT_TRUE(compiled.ok()) << compiled.status().message();
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  for (std::uint64_t image = 0; image < 2; ++image) {
    const std::vector<std::uint8_t> pixels = RandomPixels(network.input_bytes(), seed + image);
    compiled.value().Run(pixels, logits);
    ASSERT_EQ(logits, RunReference(network, pixels)) << Describe(network);
  }
}

class CompiledNetworkIsaTest : public ::testing::TestWithParam<Isa> {};

TEST_P(CompiledNetworkIsaTest, MatchesReferenceOnRandomNetworks) {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomTopologyMaker maker(seed);
    const Topology topology = maker.Make(5);
    ASSERT_TRUE(ValidateTopology(topology).ok()) << ValidateTopology(topology).message();
    const Network network = RandomNetwork(topology, maker.MakeAssignment(topology), seed);
    ASSERT_TRUE(ValidateNetwork(network).ok()) << ValidateNetwork(network).message();
    ASSERT_NO_FATAL_FAILURE(ExpectMatchesReference(network, GetParam(), seed));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, CompiledNetworkIsaTest, ::testing::ValuesIn(SupportedIsas()),
                         [](const auto& param) {
                           std::string name(ToString(param.param));
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace bitpilot

#include "kernels/depthwise/depthwise.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/compiled_network.h"
#include "kernels/reference.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {

// Names the kernel in a failure's message.
void PrintTo(const DepthwiseKernel& kernel, std::ostream* os) { *os << kernel.name; }

namespace {

// A depthwise convolution with hostile sizes, and a layer that mixes all its codes into the logits.
Topology RandomDepthwise(std::mt19937_64& random, int min_filter, int max_filter) {
  Topology topology;
  topology.name = "depthwise";
  topology.input = {RandomInteger(random, 1, 9), RandomInteger(random, 1, 9),
                    RandomInteger(random, 2, 70)};
  Operation depthwise =
      MakeOperation(OperationKind::kConvolution, "depthwise", 0, topology.input.channels);
  depthwise.groups = topology.input.channels;
  depthwise.kernel_h = RandomInteger(random, min_filter, max_filter);
  depthwise.kernel_w = RandomInteger(random, min_filter, max_filter);
  depthwise.padding = {depthwise.kernel_h - 1, RandomInteger(random, 0, depthwise.kernel_w - 1),
                       RandomInteger(random, 0, depthwise.kernel_h - 1), depthwise.kernel_w - 1};
  depthwise.stride_h = RandomInteger(random, 1, 3);
  depthwise.stride_w = RandomInteger(random, 1, 2);
  if (RandomInteger(random, 0, 1) == 0) {
    depthwise.activation = Activation::kRelu;
  }
  topology.operations = {depthwise, MakeOperation(OperationKind::kFullyConnected, "mix", 1, 5)};
  return topology;
}

class DepthwiseKernelTest : public ::testing::TestWithParam<DepthwiseKernel> {
 protected:
  void SetUp() override {
    if (const Isa isa = LevelWith(GetParam().features); !CpuSupports(isa)) {
      GTEST_SKIP() << "this CPU lacks " << ToString(isa);
    }
  }

  // The widest weights whose 3x3 sums the row holds: 9 * 255 * 7 = 16065, 9 * 255 * 15 = 34425.
  int weight_bits() const { return GetParam().max_sum < (1 << 16) ? 4 : 8; }

  void ExpectExact(const Network& network, std::uint64_t seed) {
    Result<CompiledNetwork> compiled =
        CompiledNetwork::Create(network, {.isa = LevelWith(GetParam().features)});
    ASSERT_TRUE(compiled.ok()) << compiled.status().message();
    ASSERT_EQ(compiled.value().kernel_name(0), GetParam().name);
    std::mt19937_64 random(seed);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()));
    for (std::uint8_t& pixel : pixels) {
      pixel = static_cast<std::uint8_t>(random());
    }
    std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
    compiled.value().Run(pixels, logits);
    ASSERT_EQ(logits, RunReference(network, pixels));
  }
};

TEST_P(DepthwiseKernelTest, MatchesReferenceOnHostileShapes) {
  std::mt19937_64 random(1);
  // Sums over a single tap would fit 16 bits and go to the narrow row.
  const int min_filter = weight_bits() == 8 ? 2 : 1;
  const int max_filter = weight_bits() == 8 ? 4 : 3;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Topology topology = RandomDepthwise(random, min_filter, max_filter);
    ASSERT_EQ(ValidateTopology(topology).message(), "");
    const Network network =
        RandomNetwork(topology, UniformAssignment(topology, weight_bits(), 8, true), seed);
    ASSERT_NO_FATAL_FAILURE(ExpectExact(network, seed));
  }
}

// The filter of real networks; channels that fill vectors, several times or not quite.
TEST_P(DepthwiseKernelTest, MatchesReferenceOnThreeByThree) {
  std::mt19937_64 random(4);
  std::uint64_t seed = 0;
  for (const int channels : {8, 16, 24, 32, 64, 96, 100, 144}) {
    for (const int stride : {1, 2}) {
      for (const int width : {1, 2, 3, 7, 12}) {
        SCOPED_TRACE(testing::Message()
                     << channels << " channels, stride " << stride << ", width " << width);
        Topology topology = RandomDepthwise(random, 3, 3);
        topology.input = {3, width, channels};
        Operation& depthwise = topology.operations.front();
        depthwise.groups = depthwise.out_channels = channels;
        depthwise.stride_h = depthwise.stride_w = stride;
        depthwise.padding = {1, 1, 1, 1};
        ASSERT_EQ(ValidateTopology(topology).message(), "");
        const Network network =
            RandomNetwork(topology, UniformAssignment(topology, weight_bits(), 8, true), ++seed);
        ASSERT_NO_FATAL_FAILURE(ExpectExact(network, seed));
      }
    }
  }
}

TEST_P(DepthwiseKernelTest, HoldsTheLargestSums) {
  Topology topology;
  topology.name = "depthwise";
  constexpr int kChannels = 40;  // A whole vector of them and a part of one.
  topology.input = {3, 7, kChannels};
  Operation depthwise = MakeOperation(OperationKind::kConvolution, "depthwise", 0, kChannels);
  depthwise.groups = kChannels;
  depthwise.kernel_h = depthwise.kernel_w = 3;
  topology.operations = {depthwise, MakeOperation(OperationKind::kFullyConnected, "mix", 1, 5)};
  const std::int8_t largest = weight_bits() == 8 ? 127 : 7;
  for (const std::int8_t weight : {largest, static_cast<std::int8_t>(-largest)}) {
    Network network =
        RandomNetwork(topology, UniformAssignment(topology, weight_bits(), 8, true), /*seed=*/2);
    std::vector<std::int8_t>& codes = network.operations[0].weights.codes;
    codes.assign(codes.size(), weight);
    network.input_codes.assign(network.input_codes.size(), 255);
    network.tensors[0].zero_point = 0;
    // Codes in the middle of their range: a sum that wrapped around would give others.
    const float sum = 9.0F * 255.0F * static_cast<float>(weight);
    network.operations[0].output.scale.assign(kChannels, 100.0F / sum);
    network.operations[0].output.bias.assign(kChannels, 0.0F);
    ASSERT_EQ(ValidateNetwork(network).message(), "");
    ASSERT_NO_FATAL_FAILURE(ExpectExact(network, /*seed=*/3));
  }
}

INSTANTIATE_TEST_SUITE_P(AllKernels, DepthwiseKernelTest,
                         ::testing::ValuesIn(AllDepthwiseKernels().begin(),
                                             AllDepthwiseKernels().end()),
                         [](const auto& param) { return std::string(param.param.name); });

// Where this build has rows of 16 bits: the levels of its architecture.
TEST(SelectDepthwiseKernelTest, TakesSixteenBitsOnlyWhereTheSumFits) {
  for (const Isa isa : {Isa::kSse4, Isa::kAvx2, Isa::kNeon}) {
    const DepthwiseKernel& narrow = SelectDepthwiseKernel(isa, 32'767);
    const DepthwiseKernel& wide = SelectDepthwiseKernel(isa, 32'768);
    const std::string suffix = "_" + std::string(ToString(isa));
    if (LevelWith(narrow.features) == Isa::kScalar) continue;  // Another architecture.
    EXPECT_EQ(narrow.name, "depthwise_w4a8_i16" + suffix);
    EXPECT_EQ(wide.name, "depthwise_w8a8_i32" + suffix);
  }
  EXPECT_EQ(SelectDepthwiseKernel(Isa::kScalarPopcnt, 1).name, "depthwise_w8a8_i32_scalar");
}

}  // namespace
}  // namespace bitpilot

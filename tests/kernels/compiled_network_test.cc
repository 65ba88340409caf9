#include "kernels/compiled_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/conv/conv.h"
#include "kernels/reference.h"
#include "kernels/runtime/kernel_build_id.h"
#include "kernels/runtime/tensor_layout.h"
#include "kernels/runtime/thread_pool.h"
#include "tests/kernels/exact_network.h"
#include "tests/kernels/largest_allocation.h"
#include "tests/kernels/random_networks.h"
#include "tests/kernels/random_topology.h"

namespace bitpilot {
namespace {

class CompiledNetworkIsaTest : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!CpuSupports(GetParam())) GTEST_SKIP() << "this CPU lacks " << ToString(GetParam());
  }
};

TEST_P(CompiledNetworkIsaTest, MatchesReferenceOnRandomNetworks) {
  for (std::uint64_t seed = 0; seed < kNumRandomNetworks; seed += RandomNetworkStep()) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Network network = RandomNetworkOfSeed(seed);
    ASSERT_EQ(ValidateNetwork(network).message(), "");
    ASSERT_NO_FATAL_FAILURE(ExpectMatchesReference(network, GetParam(), seed));
  }
}

TEST_P(CompiledNetworkIsaTest, MatchesReferenceOnEveryKindOfOperation) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Topology topology = EveryOperationTopology();
    const Network network = RandomNetwork(topology, RandomAssignment(topology, seed), seed);
    ASSERT_NO_FATAL_FAILURE(ExpectMatchesReference(network, GetParam(), seed));
  }
}

// Such images are stored without a fourth channel.
TEST_P(CompiledNetworkIsaTest, MatchesReferenceOnWideFiltersOverThreeChannels) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    Topology topology;
    topology.name = "wide-filter";
    topology.input = {RandomInteger(random, 7, 15), RandomInteger(random, 11, 50), 3};
    Operation conv =
        MakeOperation(OperationKind::kConvolution, "conv", 0, RandomInteger(random, 1, 70));
    conv.kernel_h = RandomInteger(random, 1, 7);
    conv.kernel_w = RandomInteger(random, 4, 11);
    conv.stride_h = RandomInteger(random, 1, 3);
    conv.stride_w = RandomInteger(random, 1, 4);
    conv.padding.left = RandomInteger(random, 0, 3);
    conv.padding.right = RandomInteger(random, 0, 3);
    conv.padding.top = RandomInteger(random, 0, conv.kernel_h - 1);
    topology.operations.push_back(conv);
    topology.operations.push_back(
        MakeOperation(OperationKind::kFullyConnected, "fc", 1, RandomInteger(random, 1, 20)));
    const Network network = RandomNetwork(topology, RandomAssignment(topology, seed), seed);
    ASSERT_EQ(PlanArena(network).tensors.front().pixel_bytes, 3);
    ASSERT_NO_FATAL_FAILURE(ExpectMatchesReference(network, GetParam(), seed));
    const std::vector<std::uint8_t> pixels = RandomPixels(network.input_bytes(), seed);
    for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), PoolOf(2, /*caller_helps=*/true)}) {
      KernelChoices choices;
      CompiledNetwork tuned =
          CompiledNetwork::Create(network, {.isa = GetParam(), .choices = &choices, .pool = pool})
              .value();
      ASSERT_EQ(Infer(tuned, network, pixels), RunReference(network, pixels));
    }
  }
}

TEST_P(CompiledNetworkIsaTest, MatchesReferenceOnStandardNetworks) {
  for (const char* name : {"resnet8", "resnet20", "mobilenet-v1-025"}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(
        ExpectMatchesReference(StandardNetwork(name, /*seed=*/5), GetParam(), /*seed=*/6));
  }
}

TEST_P(CompiledNetworkIsaTest, AllocatesNothingInARun) {
  const Network network = StandardNetwork("resnet20", /*seed=*/7);
  for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), PoolOf(2, /*caller_helps=*/true)}) {
    CompiledNetwork compiled = Compile(network, GetParam(), pool);
    const std::vector<std::uint8_t> pixels = RandomPixels(network.input_bytes(), /*seed=*/8);
    std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
    std::vector<std::int64_t> nanoseconds(static_cast<std::size_t>(compiled.num_operations()));
    ResetLargestAllocation();
    compiled.Run(pixels, logits);
    compiled.RunTimed(pixels, logits, nanoseconds);
    EXPECT_EQ(LargestAllocation(), 0U);
  }
}

// How names of kernels end: "_scalar_popcnt".
std::string KernelSuffix(Isa isa) {
  std::string suffix = "_" + std::string(ToString(isa));
  std::replace(suffix.begin(), suffix.end(), '-', '_');
  return suffix;
}

// A limit must not merely be reported: no kernel of a higher level may be bound.
TEST_P(CompiledNetworkIsaTest, RunsOnlyKernelsThatTheLimitAllows) {
  const Network network = StandardNetwork("mobilenet-v1-025", /*seed=*/9);
  const CompiledNetwork compiled = Compile(network, GetParam());
  EXPECT_EQ(compiled.isa(), GetParam());
  for (int i = 0; i < compiled.num_operations(); ++i) {
    const std::string name = compiled.kernel_name(i);
    for (const ConvKernel& kernel : AllConvKernels()) {
      const std::string suffix = KernelSuffix(LevelWith(kernel.features));
      if (!Allows(GetParam(), kernel.features)) {
        EXPECT_EQ((name + "+").find(suffix + "+"), std::string::npos) << name;
      }
    }
  }
}

// ... and where a level has kernels of its own, they are the ones that run, on few bits or on many.
TEST_P(CompiledNetworkIsaTest, RunsTheKernelsOfTheForcedLevel) {
  const Topology topology = StandardTopology("resnet8").value();
  const std::string forced(ToString(GetParam()));
  ASSERT_EQ(setenv("BITPILOT_FORCE_ISA", forced.c_str(), /*replace=*/1), 0);
  const Result<Isa> isa = DefaultIsa();
  unsetenv("BITPILOT_FORCE_ISA");
  ASSERT_TRUE(isa.ok()) << isa.status().message();
  const bool has_kernels = std::any_of(
      AllConvKernels().begin(), AllConvKernels().end(),
      [](const ConvKernel& kernel) { return LevelWith(kernel.features) == GetParam(); });
  if (!has_kernels) {
    GTEST_SKIP() << forced << " has no convolution kernel of its own; the level below serves it";
  }
  std::string names;
  bool runs_own = false;
  for (const int bits : {1, 8}) {
    const Network network =
        RandomNetwork(topology, UniformAssignment(topology, bits, bits), /*seed=*/10);
    const std::string name = Compile(network, *isa).kernel_name(1);
    runs_own |= name.ends_with(KernelSuffix(*isa));
    names += " " + name;
  }
  EXPECT_TRUE(runs_own) << names;
}

TEST_P(CompiledNetworkIsaTest, ChargesEveryOperationForItsTime) {
  const Network network = StandardNetwork("resnet8", /*seed=*/11);
  CompiledNetwork compiled = Compile(network, GetParam());
  const std::vector<std::uint8_t> pixels = RandomPixels(network.input_bytes(), /*seed=*/12);
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  std::vector<std::int64_t> nanoseconds(static_cast<std::size_t>(compiled.num_operations()));
  for (int i = 0; i < 100; ++i) {
    compiled.RunTimed(pixels, logits, nanoseconds);
  }
  EXPECT_EQ(logits, RunReference(network, pixels));
  for (const std::int64_t time : nanoseconds) {
    EXPECT_GT(time, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, CompiledNetworkIsaTest,
                         ::testing::ValuesIn(IsasOfThisArchitecture()), [](const auto& param) {
                           return TestName(std::string(ToString(param.param)));
                         });

// 48 channels of which the middle block is wide: the layer runs in three pieces with two kernels.
TEST(CompiledNetworkTest, GivesEachBlockOfChannelsTheKernelOfItsWidestChannel) {
  if (!CpuSupports(Isa::kAvx2)) {
    GTEST_SKIP() << "this CPU lacks avx2";
  }
  Topology topology = StandardTopology("resnet8").value();
  topology.operations[1].out_channels = 48;
  topology.operations.resize(2);
  Operation last;
  last.kind = OperationKind::kFullyConnected;
  last.name = "last";
  last.input = 2;
  last.out_channels = 3;
  topology.operations.push_back(last);
  BitAssignment assignment = UniformAssignment(topology, 8, 4);
  assignment.activation_bits[1] = 4;
  assignment.weight_bits[1] = {{17, 4}, {1, 8}, {30, 4}};
  const Network network = RandomNetwork(topology, assignment, /*seed=*/13);
  ASSERT_EQ(ValidateNetwork(network).message(), "");
  const CompiledNetwork compiled = Compile(network, Isa::kAvx2);
  EXPECT_EQ(compiled.kernel_name(1), "conv_w4a4_i16_avx2+conv_w8a6_i16_avx2");
  ExpectMatchesReference(network, Isa::kAvx2, /*seed=*/14);
}

// 48 of 64 channels are pruned: what is left of their weights is a step of zeros a piece.
TEST(CompiledNetworkTest, KeepsNoWeightsOfPrunedChannels) {
  const Topology topology = StandardTopology("resnet20").value();
  const int layer = 15;  // layer3.0.conv1, 64 channels
  BitAssignment assignment = UniformAssignment(topology, 8, 8);
  const std::int64_t whole =
      Compile(RandomNetwork(topology, assignment, /*seed=*/20), Isa::kScalar).weight_arena_bytes();
  assignment.weight_bits[layer] = {{30, 0}, {16, 8}, {18, 0}};
  const Network network = RandomNetwork(topology, assignment, /*seed=*/20);
  const std::int64_t pruned = Compile(network, Isa::kScalar).weight_arena_bytes();
  const std::int64_t layer_weights =
      WeightDepth(topology, LayerOperations(topology)[static_cast<std::size_t>(layer)]) * 64;
  EXPECT_LT(pruned, whole - layer_weights / 2);
  for (const Isa isa : SupportedIsas()) ExpectMatchesReference(network, isa, /*seed=*/21);
}

// Three in four of 128 depthwise channels are pruned, in one run; it may begin within a block.
TEST(CompiledNetworkTest, KeepsNoWeightsOfPrunedDepthwiseChannels) {
  Topology topology;
  topology.name = "depthwise";
  topology.input = {6, 5, 128};
  Operation depthwise = MakeOperation(OperationKind::kConvolution, "depthwise", 0, 128);
  depthwise.groups = 128;
  depthwise.kernel_h = depthwise.kernel_w = 3;
  depthwise.padding = {1, 1, 1, 1};
  depthwise.residual = 0;
  topology.operations = {depthwise, MakeOperation(OperationKind::kFullyConnected, "mix", 1, 5)};
  BitAssignment assignment = UniformAssignment(topology, 8, 8);
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(ToString(isa));
    const auto network = [&](std::vector<ChannelRun> runs) {
      assignment.weight_bits[0] = std::move(runs);
      return RandomNetwork(topology, assignment, /*seed=*/22);
    };
    EXPECT_LT(Compile(network({{96, 0}, {32, 8}}), isa).weight_arena_bytes(),
              Compile(network({{128, 8}}), isa).weight_arena_bytes() - 64 * 9);
    ExpectMatchesReference(network({{96, 0}, {32, 4}}), isa, /*seed=*/23);
    ExpectMatchesReference(network({{5, 8}, {96, 0}, {27, 4}}), isa, /*seed=*/23);
    ExpectMatchesReference(network({{32, 1}, {96, 0}}), isa, /*seed=*/23);
  }
}

TEST(CompiledNetworkTest, RefusesAnInstructionSetThatTheCpuLacks) {
  const Network network = StandardNetwork("resnet8", /*seed=*/15);
  for (const Isa isa : AllIsas()) {
    if (!CpuSupports(isa)) {
      const Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {.isa = isa});
      ASSERT_FALSE(compiled.ok());
      EXPECT_EQ(compiled.status().code(), StatusCode::kUnsupported);
      EXPECT_NE(compiled.status().message().find(ToString(isa)), std::string::npos);
      return;
    }
  }
  GTEST_SKIP() << "this CPU has every instruction set that there is a name for";
}

TEST(CompiledNetworkTest, RefusesAnInvalidNetwork) {
  Network network = StandardNetwork("resnet8", /*seed=*/16);
  network.operations.front().output.scale.pop_back();
  const Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {});
  ASSERT_FALSE(compiled.ok());
  EXPECT_EQ(compiled.status().code(), StatusCode::kInvalidArgument);
}

// A halo of 256 pixels around one pixel of 16384 channels: gigabytes for a network of 2 MB.
TEST(CompiledNetworkTest, RefusesANetworkWhoseActivationsNeedTooMuchMemory) {
  Topology topology;
  topology.name = "halo";
  topology.input = {1, 1, 16'384};
  Operation wide = MakeOperation(OperationKind::kAveragePool, "wide", 0, 16'384);
  wide.kernel_h = wide.kernel_w = 257;
  wide.padding = {256, 256, 256, 256};
  wide.stride_h = wide.stride_w = 257;
  topology.operations = {wide};
  ASSERT_EQ(ValidateTopology(topology).message(), "");
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 8, 8), /*seed=*/17);
  const Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {});
  ASSERT_FALSE(compiled.ok());
  EXPECT_EQ(compiled.status().code(), StatusCode::kResourceExhausted);
}

TEST(CompiledNetworkTest, KeepsRunningAfterAMove) {
  const Network network = StandardNetwork("resnet8", /*seed=*/18);
  CompiledNetwork first = Compile(network, Isa::kScalar);
  CompiledNetwork second = std::move(first);
  const std::vector<std::uint8_t> pixels = RandomPixels(network.input_bytes(), /*seed=*/19);
  EXPECT_EQ(Infer(second, network, pixels), RunReference(network, pixels));
}

// Tensors of one geometry share memory: resnet20's 21 stored tensors need few places.
TEST(CompiledNetworkTest, ReportsTheBytesItHolds) {
  const CompiledNetwork compiled = Compile(StandardNetwork("resnet20", /*seed=*/20), Isa::kScalar);
  // From one byte a weight, in fields of 8 bits, to three, in fields of 21; padding on top.
  EXPECT_GE(compiled.weight_arena_bytes(), 268'336);
  EXPECT_LT(compiled.weight_arena_bytes(), 900'000);
  EXPECT_LT(compiled.activation_arena_bytes(), 150'000);
}

TEST(KernelBuildIdTest, IsASha256InHexadecimal) {
  const std::string id = KernelBuildId();
  EXPECT_EQ(id.size(), 64U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace
}  // namespace bitpilot

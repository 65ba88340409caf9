// Networks whose inference several threads share. compiled_network_test.cc runs its networks by several
// threads, too.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "kernels/base/network.h"
#include "kernels/compiled_network.h"
#include "kernels/cpu/isa.h"
#include "tests/kernels/exact_network.h"
#include "tests/kernels/random_networks.h"
#include "tests/kernels/random_topology.h"

namespace bitpilot {
namespace {

class NetworkThreadsIsaTest : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!CpuSupports(GetParam())) GTEST_SKIP() << "this CPU lacks " << ToString(GetParam());
  }
};

// Small steps of many kinds, in which a thread that came too early or wrote too far would be seen,
// by the thread sanitizer in any case.
TEST_P(NetworkThreadsIsaTest, MatchReferenceWhereAllMeet) {
  constexpr std::uint64_t kNumNetworks = 100;
  for (std::uint64_t seed = 0; seed < kNumNetworks; seed += RandomNetworkStep()) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    ASSERT_NO_FATAL_FAILURE(ExpectMatchesReference(RandomNetworkOfSeed(seed), GetParam(), seed,
                                                   /*threads_meet=*/true));
  }
}

// Threads share the channels of these, 64 by 64; the last share may have more.
TEST_P(NetworkThreadsIsaTest, MatchReferenceOnDepthwiseLayersOfFewRows) {
  std::mt19937_64 random(31);
  for (const int channels : {128, 136, 160, 192, 264, 330}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(testing::Message() << channels << " channels, seed " << seed);
      Topology topology;
      topology.name = "depthwise";
      topology.input = {RandomInteger(random, 1, 3), RandomInteger(random, 1, 6), channels};
      Operation depthwise = MakeOperation(OperationKind::kConvolution, "depthwise", 0, channels);
      depthwise.groups = channels;
      depthwise.kernel_h = RandomInteger(random, 1, 5);
      depthwise.kernel_w = RandomInteger(random, 1, 3);
      depthwise.padding = {depthwise.kernel_h / 2, depthwise.kernel_w / 2, depthwise.kernel_h / 2,
                           depthwise.kernel_w / 2};
      if (depthwise.kernel_h % 2 != 0 && depthwise.kernel_w % 2 != 0 && seed % 2 == 0) {
        depthwise.residual = 0;
      }
      topology.operations = {depthwise, MakeOperation(OperationKind::kFullyConnected, "mix", 1, 5)};
      ASSERT_EQ(ValidateTopology(topology).message(), "");
      const Network network = RandomNetwork(topology, RandomAssignment(topology, seed), seed);
      ASSERT_NO_FATAL_FAILURE(ExpectMatchesReference(network, GetParam(), seed));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, NetworkThreadsIsaTest,
                         ::testing::ValuesIn(IsasOfThisArchitecture()), [](const auto& param) {
                           return TestName(std::string(ToString(param.param)));
                         });

// Of what pools sum up or compare, every thread has its own.
TEST(NetworkThreadsTest, HaveScratchMemoryOfTheirOwn) {
  Topology topology;
  topology.name = "pools";
  topology.input = {64, 64, 256};
  topology.operations = {MakeOperation(OperationKind::kMaxPool, "max", 0, 256),
                         MakeOperation(OperationKind::kAveragePool, "average", 1, 256)};
  for (Operation& pool : topology.operations) {
    pool.kernel_h = pool.kernel_w = 8;
    pool.stride_h = pool.stride_w = 8;
  }
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 8, 8), /*seed=*/21);
  ASSERT_EQ(ValidateNetwork(network).message(), "");
  const auto bytes = [&network](ThreadPool* pool) {
    return Compile(network, Isa::kScalar, pool).activation_arena_bytes();
  };
  const std::int64_t row_bytes = 8 * 256;  // Of the first one, which needs more.
  EXPECT_GE(bytes(PoolOf(3, /*caller_helps=*/true)), bytes(nullptr) + 2 * row_bytes);
}

TEST(NetworkThreadsTest, AreToldByTheNetwork) {
  const Network network = StandardNetwork("resnet8", /*seed=*/22);
  EXPECT_EQ(Compile(network, Isa::kScalar).num_threads(), 1);
  EXPECT_EQ(Compile(network, Isa::kScalar, PoolOf(3, /*caller_helps=*/true)).num_threads(), 3);
}

}  // namespace
}  // namespace bitpilot

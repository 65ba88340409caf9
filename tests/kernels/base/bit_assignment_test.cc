#include "kernels/base/bit_assignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/sha256.h"
#include "kernels/base/standard_networks.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

BitAssignment Example() { return {{{{8, 8}}, {{8, 4}, {8, 2}}}, {8, 4}}; }

TEST(UniformAssignmentTest, KeepsTheEndsAtEightBits) {
  // Tensor 10 is the pooled one that the last layer reads.
  const Topology resnet8 = *StandardTopology("resnet8");
  EXPECT_EQ(CanonicalText(UniformAssignment(resnet8, 3, 5)),
            R"({"activation_bits":[8,5,5,5,5,5,5,5,5,5,8],"weight_bits":[8,3,3,3,3,3,3,3,3,8]})");
}

TEST(UniformAssignmentTest, SearchesAllButTheInputOnRequest) {
  const Topology resnet8 = *StandardTopology("resnet8");
  EXPECT_EQ(CanonicalText(UniformAssignment(resnet8, 3, 5, /*search_ends=*/true)),
            R"({"activation_bits":[8,5,5,5,5,5,5,5,5,5,5],"weight_bits":[3,3,3,3,3,3,3,3,3,3]})");
}

TEST(UniformAssignmentTest, IsValidForEveryStandardNetwork) {
  for (const std::string& name : StandardNetworkNames()) {
    const Topology topology = *StandardTopology(name);
    EXPECT_TRUE(ValidateAssignment(topology, UniformAssignment(topology, 1, 1)).ok()) << name;
    EXPECT_TRUE(ValidateAssignment(topology, RandomAssignment(topology, 3)).ok()) << name;
  }
}

TEST(ValidateAssignmentTest, F37NamesTheLayerOrTensorThatIsWrong) {
  const Topology topology = EveryOperationTopology();
  const BitAssignment valid = UniformAssignment(topology, 4, 4);
  const auto message = [&](auto change) {
    BitAssignment assignment = valid;
    change(assignment);
    const Status status = ValidateAssignment(topology, assignment);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(message([](BitAssignment& a) { a.weight_bits.pop_back(); }),
              HasSubstr("weight_bits must have 4 entries, got 3"));
  EXPECT_THAT(message([](BitAssignment& a) { a.activation_bits.push_back(4); }),
              HasSubstr("activation_bits must have 8 entries, got 9"));
  EXPECT_THAT(message([](BitAssignment& a) {
                a.weight_bits[1] = {{4, 9}};
              }),
              HasSubstr("layer grouped: bits must be in [0, 8], got 9"));
  EXPECT_THAT(message([](BitAssignment& a) {
                a.weight_bits[1] = {{4, -1}};
              }),
              HasSubstr("layer grouped: bits must be in [0, 8], got -1"));
  EXPECT_THAT(message([](BitAssignment& a) {
                a.weight_bits[1] = {{2, 4}, {1, 2}};
              }),
              HasSubstr("layer grouped: channel runs must sum to 4 channels, got 3"));
  EXPECT_THAT(message([](BitAssignment& a) { a.weight_bits[1] = {}; }), HasSubstr("got 0"));
  EXPECT_THAT(message([](BitAssignment& a) {
                a.weight_bits[1] = {{5, 4}, {-1, 4}};
              }),
              HasSubstr("at least 1 channel, got -1"));
  EXPECT_THAT(message([](BitAssignment& a) { a.activation_bits[3] = -1; }),
              HasSubstr("tensor max: bits must be in [1, 8], got -1"));
  EXPECT_THAT(message([](BitAssignment& a) { a.activation_bits[0] = 4; }),
              HasSubstr("tensor input: bits must be 8, got 4"));
}

TEST(ValidateAssignmentTest, DoesNotOverflowOnHugeRuns) {
  const Topology topology = EveryOperationTopology();
  BitAssignment assignment = UniformAssignment(topology, 4, 4);
  // 2^31 - 1, twice, plus 6 is 4 modulo 2^32.
  assignment.weight_bits[1] = {{2147483647, 4}, {2147483647, 4}, {6, 4}};
  EXPECT_THAT(ValidateAssignment(topology, assignment).message(), HasSubstr("got 4294967300"));
}

TEST(WeightBytesTest, CountsBitsAndRoundsUpOnce) {
  const Topology topology = EveryOperationTopology();
  // Weights: conv 27 x 6, grouped 9 x 4, residual 4 x 9, fc 36 x 5.
  EXPECT_EQ(WeightBytes(topology, UniformAssignment(topology, 8, 8)), 162 + 36 + 36 + 180);
  BitAssignment assignment = UniformAssignment(topology, 1, 8, /*search_ends=*/true);
  EXPECT_EQ(WeightBytes(topology, assignment), 52);  // 414 bits = 51.75 bytes
  assignment.weight_bits[1] = {{1, 3}, {3, 1}};      // 9 * 3 + 27 * 1 bits instead of 36
  EXPECT_EQ(WeightBytes(topology, assignment), 54);  // 432 bits
}

TEST(CanonicalTextTest, SortsKeysAndWritesRunsAsPairs) {
  EXPECT_EQ(CanonicalText(Example()),
            R"({"activation_bits":[8,4],"weight_bits":[8,[[8,4],[8,2]]]})");
}

TEST(CanonicalTextTest, MergesEqualNeighbours) {
  BitAssignment split = Example();
  split.weight_bits[0] = {{3, 8}, {5, 8}};
  split.weight_bits[1] = {{8, 4}, {1, 2}, {7, 2}};
  EXPECT_EQ(CanonicalText(split), CanonicalText(Example()));
  EXPECT_EQ(AssignmentId(split), AssignmentId(Example()));
  split.weight_bits[1] = {{8, 2}, {8, 4}};
  EXPECT_NE(AssignmentId(split), AssignmentId(Example()));
}

TEST(AssignmentIdTest, IsTheHashOfTheCanonicalText) {
  EXPECT_EQ(AssignmentId(Example()),
            Sha256Hex(R"({"activation_bits":[8,4],"weight_bits":[8,[[8,4],[8,2]]]})"));
}

TEST(ExpandRunsTest, GivesOneWidthPerChannel) {
  EXPECT_THAT(ExpandRuns({{2, 4}, {1, 8}, {1, 4}}), ElementsAre(4, 4, 8, 4));
}

TEST(AssignmentToStringTest, IsShort) { EXPECT_EQ(ToString(Example()), "w 8-[8x4+8x2] a 8-4"); }

}  // namespace
}  // namespace bitpilot

#include "kernels/base/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The topology with operation `index` changed by `change`, validated.
Status ValidateChanged(int index, const std::function<void(Operation&)>& change) {
  Topology topology = EveryOperationTopology();
  change(topology.operations[static_cast<std::size_t>(index)]);
  return ValidateTopology(topology);
}

enum Index { kConv, kGrouped, kMax, kSubsample, kResidual, kAdd, kAverage, kFc };

TEST(TopologyTest, DerivesEveryTensorsShape) {
  const Topology topology = EveryOperationTopology();
  ASSERT_TRUE(ValidateTopology(topology).ok()) << ValidateTopology(topology).message();
  // conv: 5 + 0 + 2 - 3 + 1 = 5 rows, 7 + 1 + 1 - 3 + 1 = 7 columns.  max: (5 + 2 - 3) / 2 + 1 = 3,
  // (7 + 2 - 3) / 2 + 1 = 4.  subsample: rows 0, 2, 4; columns 0, 2, 4, 6.  average: (3 + 1 - 2) /
  // 2 + 1 = 2, (4 + 1 - 3) / 2 + 1 = 2.
  const std::vector<TensorShape> expected = {{5, 7, 3}, {5, 7, 6}, {5, 7, 4}, {3, 4, 4}, {3, 4, 9},
                                             {3, 4, 9}, {3, 4, 9}, {2, 2, 9}, {1, 1, 5}};
  EXPECT_EQ(TensorShapes(topology), expected);
}

TEST(TopologyTest, CountsDepthAndMultiplyAccumulates) {
  const Topology topology = EveryOperationTopology();
  EXPECT_THAT(LayerOperations(topology), ElementsAre(kConv, kGrouped, kResidual, kFc));
  EXPECT_EQ(WeightDepth(topology, kConv), 3 * 3 * 3);
  EXPECT_EQ(WeightDepth(topology, kGrouped), 1 * 3 * 6 / 2);
  EXPECT_EQ(WeightDepth(topology, kFc), 2 * 2 * 9);
  EXPECT_EQ(Macs(topology, kGrouped), 9 * 5 * 7 * 4);
  EXPECT_EQ(Macs(topology, kFc), 36 * 5);
  EXPECT_EQ(Macs(topology, kMax), 0);
}

TEST(TopologyTest, NamesTensorsAfterTheirProducers) {
  const Topology topology = EveryOperationTopology();
  EXPECT_EQ(TensorName(topology, 0), "input");
  EXPECT_EQ(TensorName(topology, 4), "subsample");
}

TEST(ValidateTopologyTest, RefusesAnEmptyTopologyAndOneTooLong) {
  Topology topology = EveryOperationTopology();
  topology.operations.clear();
  EXPECT_THAT(ValidateTopology(topology).message(), HasSubstr("[1, 1024], got 0"));
  topology.operations.assign(1025, MakeOperation(OperationKind::kAveragePool, "p", 0, 3));
  EXPECT_THAT(ValidateTopology(topology).message(), HasSubstr("got 1025"));
}

TEST(ValidateTopologyTest, RefusesNamesThatTablesCannotHold) {
  for (const char* name : {"", "two words", "a\"b", "a#b", "a\nb", "input", "caf\xc3\xa9"}) {
    const Status status = ValidateChanged(kMax, [&](Operation& op) { op.name = name; });
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(status.message(), HasSubstr("operation 2"));
  }
  const std::string longest(128, 'x');
  EXPECT_TRUE(ValidateChanged(kMax, [&](Operation& op) { op.name = longest; }).ok());
  EXPECT_FALSE(ValidateChanged(kMax, [&](Operation& op) { op.name = longest + "x"; }).ok());
}

TEST(ValidateTopologyTest, RefusesANameThatIsUsedTwice) {
  const Status status = ValidateChanged(kFc, [](Operation& op) { op.name = "conv"; });
  EXPECT_THAT(status.message(), HasSubstr("operation 7 (conv): name is used twice"));
}

TEST(ValidateTopologyTest, RefusesUnknownKindsAndActivations) {
  EXPECT_THAT(ValidateChanged(kMax, [](Operation& op) { op.kind = static_cast<OperationKind>(6); })
                  .message(),
              HasSubstr("unknown operation kind 6"));
  EXPECT_THAT(
      ValidateChanged(kMax, [](Operation& op) { op.activation = static_cast<Activation>(255); })
          .message(),
      HasSubstr("unknown activation 255"));
}

TEST(ValidateTopologyTest, RefusesTensorsThatDoNotExistYet) {
  for (const int input :
       {-1, 3, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    const Status status = ValidateChanged(kMax, [&](Operation& op) { op.input = input; });
    EXPECT_THAT(status.message(), HasSubstr("operation 2 (max): input must be in [0, 2], got"));
  }
  for (const int residual : {-2, 5, std::numeric_limits<int>::max()}) {
    const Status status =
        ValidateChanged(kResidual, [&](Operation& op) { op.residual = residual; });
    EXPECT_THAT(status.message(),
                HasSubstr("operation 4 (residual): residual must be in [0, 4], got"));
  }
}

TEST(ValidateTopologyTest, RefusesResidualsThatDoNotFit) {
  EXPECT_THAT(ValidateChanged(kResidual, [](Operation& op) { op.residual = 3; }).message(),
              HasSubstr("another shape"));
  EXPECT_THAT(ValidateChanged(kAdd, [](Operation& op) { op.residual = -1; }).message(),
              HasSubstr("required by an addition"));
  EXPECT_THAT(ValidateChanged(kMax, [](Operation& op) { op.residual = 2; }).message(),
              HasSubstr("residual must be -1, got 2"));
  EXPECT_THAT(ValidateChanged(kFc, [](Operation& op) { op.residual = 0; }).message(),
              HasSubstr("residual must be -1, got 0"));
}

TEST(ValidateTopologyTest, RefusesChannelsThatDoNotFit) {
  EXPECT_THAT(ValidateChanged(kGrouped, [](Operation& op) { op.groups = 4; }).message(),
              HasSubstr("groups must divide the 6 input and 4 output channels, got 4"));
  EXPECT_THAT(ValidateChanged(kMax, [](Operation& op) { op.out_channels = 5; }).message(),
              HasSubstr("out_channels must be in [4, 4], got 5"));
  EXPECT_THAT(ValidateChanged(kSubsample, [](Operation& op) { op.out_channels = 6; }).message(),
              HasSubstr("out_channels must be in [7, 16384], got 6"));
  EXPECT_THAT(ValidateChanged(kConv, [](Operation& op) { op.out_channels = 16385; }).message(),
              HasSubstr("out_channels must be in [1, 16384], got 16385"));
}

TEST(ValidateTopologyTest, RefusesFieldsThatTheKindDoesNotUse) {
  EXPECT_FALSE(ValidateChanged(kFc, [](Operation& op) { op.kernel_h = 2; }).ok());
  EXPECT_FALSE(ValidateChanged(kAdd, [](Operation& op) { op.stride_w = 2; }).ok());
  EXPECT_FALSE(ValidateChanged(kMax, [](Operation& op) { op.groups = 2; }).ok());
  EXPECT_FALSE(ValidateChanged(kConv, [](Operation& op) { op.pad_channels_before = 1; }).ok());
}

TEST(ValidateTopologyTest, RefusesPaddingThatCouldFillAWholeWindow) {
  EXPECT_TRUE(ValidateChanged(kMax, [](Operation& op) { op.padding.right = 2; }).ok());
  EXPECT_THAT(ValidateChanged(kMax, [](Operation& op) { op.padding.right = 3; }).message(),
              HasSubstr("padding.right must be in [0, 2], got 3"));
  EXPECT_THAT(ValidateChanged(kMax, [](Operation& op) { op.padding.top = -1; }).message(),
              HasSubstr("padding.top must be in [0, 2], got -1"));
}

TEST(ValidateTopologyTest, RefusesWindowsLargerThanThePaddedImage) {
  EXPECT_THAT(ValidateChanged(kGrouped, [](Operation& op) { op.kernel_h = 6; }).message(),
              HasSubstr("kernel_h must be in [1, 5], got 6"));
}

TEST(ValidateTopologyTest, RefusesZeroAndExtremeSizesInEveryField) {
  constexpr int kMaxInt = std::numeric_limits<int>::max();
  constexpr int kMinInt = std::numeric_limits<int>::min();
  int Operation::*const fields[] = {&Operation::out_channels, &Operation::kernel_h,
                                    &Operation::kernel_w,     &Operation::stride_h,
                                    &Operation::stride_w,     &Operation::groups};
  for (int Operation::*field : fields) {
    for (const int value : {0, -1, kMaxInt, kMinInt}) {
      EXPECT_EQ(ValidateChanged(kConv, [&](Operation& op) { op.*field = value; }).code(),
                StatusCode::kInvalidArgument);
    }
  }
  for (int TensorShape::*field :
       {&TensorShape::height, &TensorShape::width, &TensorShape::channels}) {
    for (const int value : {0, -1, kMaxInt, kMinInt}) {
      Topology topology = EveryOperationTopology();
      topology.input.*field = value;
      EXPECT_THAT(ValidateTopology(topology).message(), HasSubstr("input: "));
    }
  }
}

TEST(ValidateTopologyTest, RefusesTensorsAndSumsThatAreTooLarge) {
  Topology topology;
  topology.name = "large";
  topology.input = {4096, 4096, 17};  // 285,212,672 > 2^28 elements.
  topology.operations = {MakeOperation(OperationKind::kFullyConnected, "fc", 0, 1)};
  EXPECT_THAT(ValidateTopology(topology).message(), HasSubstr("268435456], got 285212672"));
  topology.input = {1, 1, 16384};
  EXPECT_TRUE(ValidateTopology(topology).ok());
  topology.input = {1, 5, 16384};  // 81,920 products of 255 * 127 do not fit an int32.
  EXPECT_THAT(ValidateTopology(topology).message(),
              HasSubstr("depth of one output must be in [1, 66311], got 81920"));
  // A pooling window sums too: 258 * 258 = 66,564.
  topology.input = {258, 258, 1};
  topology.operations = {MakeOperation(OperationKind::kAveragePool, "pool", 0, 1)};
  topology.operations[0].kernel_h = topology.operations[0].kernel_w = 258;
  EXPECT_THAT(ValidateTopology(topology).message(), HasSubstr("got 66564"));
}

TEST(ValidateTopologyTest, RefusesAnOutputThatPaddingMakesTooLarge) {
  Topology topology;
  topology.name = "grows";
  topology.input = {4096, 1, 1};
  topology.operations = {MakeOperation(OperationKind::kConvolution, "conv", 0, 1)};
  topology.operations[0].kernel_h = 2;
  topology.operations[0].padding = {1, 0, 1, 0};
  EXPECT_THAT(ValidateTopology(topology).message(),
              HasSubstr("output: height must be in [1, 4096], got 4097"));
}

TEST(ValidateTopologyTest, RefusesLogitsThatAreNotOnePixelOrHaveAnActivation) {
  Topology topology = EveryOperationTopology();
  EXPECT_THAT(
      ValidateChanged(kFc, [](Operation& op) { op.activation = Activation::kRelu; }).message(),
      HasSubstr("must have no activation"));
  topology.operations.pop_back();
  EXPECT_THAT(ValidateTopology(topology).message(),
              HasSubstr("must give one pixel (the logits), got 2x2"));
}

TEST(ValidateTopologyTest, AcceptsLogitsFromAPoolingOperation) {
  Topology topology;
  topology.name = "pool-logits";
  topology.input = {2, 2, 3};
  topology.operations = {MakeOperation(OperationKind::kAveragePool, "pool", 0, 3)};
  topology.operations[0].kernel_h = topology.operations[0].kernel_w = 2;
  EXPECT_TRUE(ValidateTopology(topology).ok());
}

}  // namespace
}  // namespace bitpilot

#include "kernels/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "kernels/base/standard_networks.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

// Networks whose values a person can follow: pixels are their own codes, every scale is 1, every
// bias 0.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(TensorShape input, int input_zero_point = 0) {
    network_.topology.name = "by-hand";
    network_.topology.input = input;
    for (int i = 0; i < input.channels * 256; ++i) {
      network_.input_codes.push_back(static_cast<std::uint8_t>(i % 256));
    }
    network_.tensors.push_back({8, input_zero_point, 1.0F});
  }

  // Adds an operation whose output has `bits` and `zero_point`; the last operation's are not used.
  QuantizedOperation& Add(Operation op, std::vector<std::int8_t> weights = {}, int bits = 8,
                          int zero_point = 0) {
    QuantizedOperation quantized;
    const auto channels = static_cast<std::size_t>(op.out_channels);
    if (HasWeights(op)) quantized.weights.channel_bits.assign(channels, 8);
    quantized.weights.codes = std::move(weights);
    quantized.output.scale.assign(channels, 1.0F);
    quantized.output.bias.assign(channels, 0.0F);
    quantized.output.residual_scale = 1.0F;
    quantized.output.code_max = (1 << bits) - 1;
    // The output before this one turns out to be stored; this one may be the logits.
    if (!network_.operations.empty()) network_.tensors.push_back(last_tensor_);
    last_tensor_ = {bits, zero_point, 1.0F};
    network_.topology.operations.push_back(std::move(op));
    return network_.operations.emplace_back(std::move(quantized));
  }

  // Adds a global sum pool, so that any tensor may come before the logits.
  Network Build() {
    const TensorShape shape = TensorShapes(network_.topology).back();
    Operation pool = MakeOperation(OperationKind::kAveragePool, "sum",
                                   network_.topology.num_operations(), shape.channels);
    pool.kernel_h = shape.height;
    pool.kernel_w = shape.width;
    Add(std::move(pool));
    const Status valid = ValidateNetwork(network_);
    EXPECT_TRUE(valid.ok()) << valid.message();
    return network_;
  }

 private:
  Network network_;
  TensorQuantization last_tensor_;
};

// Codes of tensor `tensor`.
std::vector<int> Codes(const Network& network, const std::vector<std::uint8_t>& pixels,
                       std::size_t tensor = 1) {
  const ReferenceTrace trace = TraceReference(network, pixels);
  return {trace.tensors[tensor].begin(), trace.tensors[tensor].end()};
}

Operation Windowed(OperationKind kind, int out_channels, int kernel_h, int kernel_w) {
  Operation op = MakeOperation(kind, "op", 0, out_channels);
  op.kernel_h = kernel_h;
  op.kernel_w = kernel_w;
  return op;
}

TEST(ReferenceInputTest, MapsPlanarPixelsThroughTheTableOfTheirChannel) {
  NetworkBuilder builder({1, 2, 2});
  builder.Add(MakeOperation(OperationKind::kMaxPool, "op", 0, 2));
  Network network = builder.Build();
  network.input_codes[7] = 70;        // Pixel 7 in channel 0.
  network.input_codes[256 + 7] = 71;  // Pixel 7 in channel 1.
  // Planes: channel 0 is {7, 1}, channel 1 is {2, 7}; codes are stored pixel by pixel.
  EXPECT_THAT(Codes(network, {7, 1, 2, 7}, 0), ElementsAre(70, 2, 1, 71));
}

TEST(ReferenceConvolutionTest, SumsTheWindowOverAllChannels) {
  // 1x3 image, 2 channels, window 1x2. Codes by pixel: (1,4) (2,5) (3,6); weights of the only
  // output channel in [KH, KW, I] order: (1, 2), (3, -1). x = 0: 1*1 + 4*2 + 2*3 - 5 = 10;   x = 1:
  // 2*1 + 5*2 + 3*3 - 6 = 15.
  NetworkBuilder builder({1, 3, 2});
  builder.Add(Windowed(OperationKind::kConvolution, 1, 1, 2), {1, 2, 3, -1});
  EXPECT_THAT(Codes(builder.Build(), {1, 2, 3, 4, 5, 6}), ElementsAre(10, 15));
}

TEST(ReferenceConvolutionTest, PadsAsymmetricallyWithTheZeroPoint) {
  // 2x2 image of zero point 10, window 2x2, padding only at the bottom and right. Codes less 10: 1
  // 2 / 3 4. Weights 1 2 / 3 4: (0,0): 1 + 4 + 9 + 16 = 30; (0,1): 2 + 3*4 = 14; (1,0): 3 + 2*4 =
  // 11; (1,1): 4.
  NetworkBuilder builder({2, 2, 1}, /*input_zero_point=*/10);
  Operation op = Windowed(OperationKind::kConvolution, 1, 2, 2);
  op.padding = {0, 0, 1, 1};
  builder.Add(op, {1, 2, 3, 4});
  EXPECT_THAT(Codes(builder.Build(), {11, 12, 13, 14}), ElementsAre(30, 14, 11, 4));
}

TEST(ReferenceConvolutionTest, StridesDifferentlyInBothDirections) {
  // 3x5 image with codes 0..14, 1x1 window, stride 2 down and 3 across, weight 1: rows 0, 2;
  // columns 0, 3.
  NetworkBuilder builder({3, 5, 1});
  Operation op = Windowed(OperationKind::kConvolution, 1, 1, 1);
  op.stride_h = 2;
  op.stride_w = 3;
  builder.Add(op, {1});
  EXPECT_THAT(Codes(builder.Build(), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}),
              ElementsAre(0, 3, 10, 13));
}

TEST(ReferenceConvolutionTest, StartsBeforeTheImageWherePaddingIsOnTop) {
  // Column of codes 1, 2, 3; window 3x1 with weights 1, 10, 100, padding 2 on top: sums of rows
  // -2..0, -1..1, 0..2: 100 * 1;  10 * 1 + 100 * 2;  clamped 1 + 20 + 300 = 321.
  NetworkBuilder builder({3, 1, 1});
  Operation op = Windowed(OperationKind::kConvolution, 1, 3, 1);
  op.padding = {2, 0, 0, 0};
  builder.Add(op, {1, 10, 100});
  EXPECT_THAT(Codes(builder.Build(), {1, 2, 3}), ElementsAre(100, 210, 255));
}

TEST(ReferenceConvolutionTest, KeepsGroupsApart) {
  // 4 input channels 1, 2, 3, 4 in 2 groups, 4 output channels: the first two read 1, 2, the others
  // 3, 4.
  NetworkBuilder builder({1, 1, 4});
  Operation op = MakeOperation(OperationKind::kConvolution, "op", 0, 4);
  op.groups = 2;
  builder.Add(op, {1, 1, 10, 1, 1, 1, 10, 1});
  EXPECT_THAT(Codes(builder.Build(), {1, 2, 3, 4}), ElementsAre(3, 12, 7, 34));
}

TEST(ReferenceConvolutionTest, RunsDepthwise) {
  NetworkBuilder builder({1, 2, 2});
  Operation op = Windowed(OperationKind::kConvolution, 2, 1, 2);
  op.groups = 2;
  // Pixels (1, 3) (2, 4): channel 0: 1*5 + 2*6 = 17; channel 1: 3*7 + 4*8 = 53.
  builder.Add(op, {5, 6, 7, 8});
  EXPECT_THAT(Codes(builder.Build(), {1, 2, 3, 4}), ElementsAre(17, 53));
}

TEST(ReferenceConvolutionTest, AccumulatesTheLargestDepthExactly) {
  // 66,311 products of 255 * 127 = 2,147,481,735, just below 2^31. 66,311 = 7 * 9,473.
  NetworkBuilder builder({1, 7, 9473});
  QuantizedOperation& op =
      builder.Add(MakeOperation(OperationKind::kFullyConnected, "op", 0, 2), {});
  op.weights.codes.assign(66'311, 127);
  op.weights.codes.resize(2 * 66'311, -127);
  op.output.scale = {1e-7F, -1e-7F};
  // 2,147,481,735 rounds to the float 2,147,481,728; times 1e-7 is 214.748.
  EXPECT_THAT(Codes(builder.Build(), std::vector<std::uint8_t>(66'311, 255)),
              ElementsAre(215, 215));
}

TEST(ReferenceConvolutionTest, AddsTheResidualBeforeItRounds) {
  // Identity (tensor 1, zero point 4), then a 1x1 layer on it that adds tensor 1 at half scale.
  // Codes 5 and 8 are 1 and 4 with the zero point: t = 0.5 * 1 + 0.5 * 1 = 1 and 0.5 * 4 + 0.5 * 4
  // = 4. Rounding the branch first would give 0 + 0.5 = 0 for the first.
  NetworkBuilder builder({1, 2, 1}, 4);
  builder.Add(MakeOperation(OperationKind::kMaxPool, "identity", 0, 1), {}, 8, 4);
  Operation op = MakeOperation(OperationKind::kConvolution, "op", 1, 1);
  op.residual = 1;
  QuantizedOperation& quantized = builder.Add(op, {1});
  quantized.output.scale = {0.5F};
  quantized.output.residual_scale = 0.5F;
  EXPECT_THAT(Codes(builder.Build(), {5, 8}, 2), ElementsAre(1, 4));
}

TEST(ReferenceFullyConnectedTest, ReadsTheTensorPixelByPixel) {
  // 1x2 image with 2 channels, codes (1, 3) (2, 4) less the zero point 1: 0, 2, 1, 3.
  NetworkBuilder builder({1, 2, 2}, 1);
  builder.Add(MakeOperation(OperationKind::kFullyConnected, "op", 0, 2),
              {9, 1, 10, 20, 0, 0, 1, 0});
  EXPECT_THAT(Codes(builder.Build(), {1, 2, 3, 4}), ElementsAre(2 + 10 + 60, 1));
}

TEST(ReferenceAddTest, AddsAndClampsToTheOutputsWidth) {
  NetworkBuilder builder({1, 3, 1}, 2);
  builder.Add(MakeOperation(OperationKind::kMaxPool, "identity", 0, 1), {}, 8, 2);
  Operation op = MakeOperation(OperationKind::kAdd, "op", 0, 1);
  op.residual = 1;
  builder.Add(op, {}, 4, 1).output.residual_scale = -2.0F;
  // x - 2 = 0, -2, 8: t = 0, -2 + 4 = 2, 8 - 16 = -8; plus the zero point 1, clamped to 0..15.
  EXPECT_THAT(Codes(builder.Build(), {2, 0, 10}, 2), ElementsAre(1, 3, 0));
}

TEST(ReferenceAveragePoolTest, CountsPaddingAsZeros) {
  // 2x2 windows with padding 1 on every side, stride 2, on 2x2 codes 10 20 / 30 40, zero point 0:
  // each window holds one pixel; with scale 1/4 that pixel counts a quarter.
  NetworkBuilder builder({2, 2, 1});
  Operation op = Windowed(OperationKind::kAveragePool, 1, 2, 2);
  op.padding = {1, 1, 1, 1};
  op.stride_h = op.stride_w = 2;
  builder.Add(op).output.scale = {0.25F};
  // 2.5 and 7.5 are ties: 2 and 8.
  EXPECT_THAT(Codes(builder.Build(), {10, 20, 30, 40}), ElementsAre(2, 5, 8, 10));
}

TEST(ReferenceAveragePoolTest, SumsDifferencesFromTheZeroPoint) {
  NetworkBuilder builder({1, 2, 1}, 100);
  Operation op = Windowed(OperationKind::kAveragePool, 1, 1, 2);
  builder.Add(op, {}, 8, 7).output.scale = {0.5F};
  EXPECT_THAT(Codes(builder.Build(), {90, 104}), ElementsAre(7 - 3));
}

TEST(ReferenceMaxPoolTest, NeverTakesPadding) {
  // All codes lie below the zero point 100, which is what padding stands for elsewhere.
  NetworkBuilder builder({2, 2, 1}, 100);
  Operation op = Windowed(OperationKind::kMaxPool, 1, 2, 2);
  op.padding = {1, 1, 0, 0};
  builder.Add(op, {}, 8, 100);
  const Network network = builder.Build();
  EXPECT_THAT(Codes(network, {9, 3, 4, 1}), ElementsAre(9, 9, 9, 9));
  EXPECT_THAT(Codes(network, {1, 3, 4, 9}), ElementsAre(1, 3, 4, 9));
}

TEST(ReferenceMaxPoolTest, TakesTheMaximumBeforeANegativeScale) {
  NetworkBuilder builder({1, 2, 1});
  builder.Add(Windowed(OperationKind::kMaxPool, 1, 1, 2), {}, 8, 50).output.scale = {-1.0F};
  EXPECT_THAT(Codes(builder.Build(), {20, 30}), ElementsAre(20));
}

TEST(ReferenceSubsampleTest, TakesEverySecondPixelAndAddsZeroChannels) {
  // 3x3 codes, one channel, two zero channels in front and one behind; zero code of the output
  // is 5.
  NetworkBuilder builder({3, 3, 1}, 1);
  Operation op = MakeOperation(OperationKind::kSubsample, "op", 0, 4);
  op.stride_h = op.stride_w = 2;
  op.pad_channels_before = 2;
  builder.Add(op, {}, 8, 5);
  EXPECT_THAT(Codes(builder.Build(), {11, 0, 12, 0, 0, 0, 13, 0, 14}),
              ElementsAre(5, 5, 15, 5, 5, 5, 16, 5, 5, 5, 17, 5, 5, 5, 18, 5));
}

TEST(ReferenceSubsampleTest, StillAddsTheBiasToZeroChannels) {
  NetworkBuilder builder({1, 1, 1});
  Operation op = MakeOperation(OperationKind::kSubsample, "op", 0, 2);
  builder.Add(op).output.bias = {1.0F, 9.0F};
  EXPECT_THAT(Codes(builder.Build(), {3}), ElementsAre(4, 9));
}

TEST(ReferenceActivationTest, LivesInTheCodeRange) {
  // ReLU6 on a 4-bit tensor of scale 6 / 12: real 6 is code 12.
  NetworkBuilder builder({1, 4, 1}, 3);
  Operation op = MakeOperation(OperationKind::kConvolution, "op", 0, 1);
  op.activation = Activation::kRelu6;
  builder.Add(op, {1}, 4).output.code_max = 12;
  EXPECT_THAT(Codes(builder.Build(), {0, 3, 14, 200}), ElementsAre(0, 0, 11, 12));
}

TEST(ReferenceActivationTest, StoresOneBitTensors) {
  NetworkBuilder builder({1, 3, 1}, 10);
  builder.Add(MakeOperation(OperationKind::kConvolution, "op", 0, 1), {1}, 1).output.scale = {
      0.25F};
  // t = -0.25, 0.5 (a tie, to 0), 0.75.
  EXPECT_THAT(Codes(builder.Build(), {9, 12, 13}), ElementsAre(0, 0, 1));
}

TEST(ReferenceLogitsTest, AreFloatsWithoutZeroPointOrClamp) {
  NetworkBuilder builder({1, 2, 2}, 5);
  builder.Add(MakeOperation(OperationKind::kMaxPool, "identity", 0, 2), {}, 8, 5);
  Network network = builder.Build();
  network.operations[1].output.scale = {0.5F, -100.0F};
  network.operations[1].output.bias = {0.25F, 0.0F};
  // Channel sums less the zero points: (1 + 2) - 10 = -7 and (30 + 40) - 10 = 60.
  EXPECT_THAT(RunReference(network, std::vector<std::uint8_t>{1, 2, 30, 40}),
              ElementsAre(FloatEq(-3.25F), FloatEq(-6000.0F)));
}

TEST(ReferenceTraceTest, HasEveryTensorInItsRange) {
  const Topology topology = EveryOperationTopology();
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Network network = RandomNetwork(topology, RandomAssignment(topology, seed), seed);
    std::mt19937_64 random(seed);
    std::vector<std::uint8_t> pixels(105);
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random());
    const ReferenceTrace trace = TraceReference(network, pixels);
    ASSERT_EQ(trace.tensors.size(), 8U);
    EXPECT_EQ(trace.logits.size(), 5U);
    const std::vector<TensorShape> shapes = TensorShapes(topology);
    for (std::size_t t = 0; t < 8; ++t) {
      EXPECT_EQ(trace.tensors[t].size(), static_cast<std::size_t>(shapes[t].elements()));
      for (const int code : trace.tensors[t]) EXPECT_LT(code, 1 << network.tensors[t].bits);
    }
  }
}

// Random networks are only good test material if their codes neither die out nor all saturate.
TEST(RandomNetworkTest, SpreadsItsCodesThroughAWholeNetwork) {
  for (const char* name : {"resnet8", "resnet20"}) {
    const Topology topology = *StandardTopology(name);
    const Network network = RandomNetwork(topology, UniformAssignment(topology, 4, 4), 1);
    std::vector<std::uint8_t> pixels(3072);
    std::mt19937_64 random(1);
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random());
    const ReferenceTrace trace = TraceReference(network, pixels);
    for (std::size_t t = 1; t < trace.tensors.size(); ++t) {
      std::vector<int> histogram(256);
      for (const int code : trace.tensors[t]) ++histogram[static_cast<std::size_t>(code)];
      const int most = *std::max_element(histogram.begin(), histogram.end());
      EXPECT_LT(most, 0.8 * static_cast<double>(trace.tensors[t].size()))
          << name << " tensor " << t;
      const int highest = (1 << network.tensors[t].bits) - 1;
      EXPECT_GT(histogram[static_cast<std::size_t>(highest)], 0) << name << " tensor " << t;
    }
  }
}

}  // namespace
}  // namespace bitpilot

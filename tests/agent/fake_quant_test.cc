// The autograd functions and the optimizer against LibTorch's own operations.
#include "agent/qat/fake_quant.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <vector>

#include "agent/qat/adam.h"
#include "agent/qat/layer_tensors.h"
#include "agent/qat/trainer.h"

namespace bitpilot {
namespace {

// LSQ out of ATen operations: straight-through rounding and the gradient scale as detached
// differences (Esser et al., ICLR 2020, appendix A). Only clamp()'s and round()'s own gradients are
// used.
at::Tensor NaiveLsq(const at::Tensor& x, const at::Tensor& step, const LevelRange& range,
                    std::int64_t values_per_step) {
  const double scale = LsqGradientScale(static_cast<std::size_t>(values_per_step), range);
  const at::Tensor scaled = step * scale + (step - step * scale).detach();
  const at::Tensor level = at::clamp(x / scaled, range.min, range.max);
  return (level + (level.round() - level).detach()) * scaled;
}

// Both divide or multiply by the reciprocal, which may round differently next to a tie: values at
// most this share apart.
void ExpectClose(const at::Tensor& got, const at::Tensor& expected, double tolerance) {
  const double difference = (got - expected).norm().item<double>();
  EXPECT_LE(difference, tolerance * (1.0 + expected.norm().item<double>()));
}

TEST(FakeQuantizeTensorTest, AgreesWithLsqOutOfTensorOperations) {
  torch::manual_seed(1);
  for (const LevelRange& range : {ActivationRange(4, 0), ActivationRange(8, 0),
                                  ActivationRange(2, 1), ActivationRange(1, 0)}) {
    const at::Tensor values = torch::randn({4, 8, 9, 7});
    const at::Tensor weights = torch::randn({4, 8, 9, 7});
    at::Tensor x = values.clone().requires_grad_(true);
    at::Tensor step = torch::full({1}, 0.3, torch::requires_grad());
    at::Tensor naive_x = values.clone().requires_grad_(true);
    at::Tensor naive_step = torch::full({1}, 0.3, torch::requires_grad());
    const at::Tensor y = FakeQuantizeTensor(x, step, range);
    const at::Tensor naive_y = NaiveLsq(naive_x, naive_step, range, values.numel());
    (y * weights).sum().backward();
    (naive_y * weights).sum().backward();
    ExpectClose(y, naive_y, 1e-6);
    ExpectClose(x.grad(), naive_x.grad(), 1e-6);
    ExpectClose(step.grad(), naive_step.grad(), 1e-5);
  }
}

TEST(FakeQuantizeTensorTest, KeepsChannelsLastMemory) {
  torch::manual_seed(2);
  const at::Tensor base = torch::randn({2, 5, 3, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor x = base.clone().requires_grad_(true);
  at::Tensor step = torch::full({1}, 0.5, torch::requires_grad());
  const at::Tensor y = FakeQuantizeTensor(x, step, ActivationRange(3, 0));
  EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
  // A gradient in another memory order must land on the same elements.
  const at::Tensor weights = torch::randn({2, 5, 3, 4});
  y.backward(weights);
  const at::Tensor v = base / 0.5;
  const at::Tensor inside = (v >= 0).logical_and(v <= 7).to(torch::kFloat32);
  ExpectClose(x.grad(), weights * inside, 1e-6);
}

TEST(FakeQuantizeWeightsTest, TreatsEveryChannelWithItsOwnWidthAndStep) {
  torch::manual_seed(3);
  const std::vector<int> bits{8, 4, 3, 2};
  const at::Tensor values = torch::randn({4, 3, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor weights = torch::randn({4, 3, 3, 3});
  const at::Tensor initial = torch::tensor({0.02F, 0.2F, 0.4F, 0.9F});
  at::Tensor x = values.clone().requires_grad_(true);
  at::Tensor steps = initial.clone().requires_grad_(true);
  const at::Tensor y = FakeQuantizeWeights(x, steps, bits);
  (y * weights).sum().backward();
  for (std::int64_t c = 0; c < 4; ++c) {
    const LevelRange range = WeightRange(bits[static_cast<std::size_t>(c)]);
    at::Tensor channel = values[c].clone().requires_grad_(true);
    at::Tensor step = initial[c].clone().requires_grad_(true);
    const at::Tensor expected = NaiveLsq(channel, step, range, 27);
    (expected * weights[c]).sum().backward();
    ExpectClose(y[c], expected, 1e-6);
    ExpectClose(x.grad()[c], channel.grad(), 1e-6);
    ExpectClose(steps.grad()[c], step.grad(), 1e-5);
  }
}

// dy/ds = sign(x), scaled by 1 / sqrt(n): (2 - 3 + 5) / sqrt(3) for signs +, -, +.
TEST(FakeQuantizeWeightsTest, OneBitStepGradientSumsTheSigns) {
  at::Tensor x = torch::tensor({{0.5F, -4.0F, 0.0F}}).requires_grad_(true);
  at::Tensor step = torch::full({1}, 2.0, torch::requires_grad());
  FakeQuantizeWeights(x, step, {1}).backward(torch::tensor({{2.0F, 3.0F, 5.0F}}));
  EXPECT_NEAR(step.grad().item<double>(), 4.0 / std::sqrt(3.0), 1e-6);
  EXPECT_TRUE(at::equal(x.grad(), torch::tensor({{2.0F, 0.0F, 5.0F}})));
}

TEST(AdamUpdateTest, FollowsTheOptimizerOfLibTorch) {
  torch::manual_seed(4);
  at::Tensor expected = torch::randn({50}).requires_grad_(true);
  at::Tensor values = expected.detach().clone();
  torch::optim::Adam optimizer({expected}, torch::optim::AdamOptions(0.01));
  AdamMoments moments(50);
  for (int i = 0; i < 20; ++i) {
    const at::Tensor gradient = torch::randn({50});
    expected.mutable_grad() = gradient.clone();
    optimizer.step();
    AdamUpdate(Values(values), Values(gradient), 0.01, moments);
  }
  ExpectClose(values, expected.detach(), 1e-6);
}

// By hand, two classes: the student is sure of nothing, so its cross entropy is ln 2; the teacher's
// softened probabilities at logits (2, 0) and temperature 2 are p = 1 / (1 + exp(-1)) and 1 - p.
TEST(DistillationLossTest, EqualsHandComputedMixture) {
  const at::Tensor logits = torch::zeros({1, 2});
  const at::Tensor labels = torch::zeros({1}, torch::kLong);
  const double ln2 = std::log(2.0);
  EXPECT_NEAR(DistillationLoss(logits, labels, {}).item<double>(), ln2, 1e-6);
  const double p = 1.0 / (1.0 + std::exp(-1.0));
  const double divergence = p * std::log(2.0 * p) + (1.0 - p) * std::log(2.0 * (1.0 - p));
  const at::Tensor teacher = torch::tensor({{2.0F, 0.0F}});
  EXPECT_NEAR(DistillationLoss(logits, labels, teacher).item<double>(),
              0.5 * ln2 + 0.5 * 4.0 * divergence, 1e-6);
}

// A file stores a fully connected layer's columns as [C, H, W]; the network reads them as [H, W,
// C].
TEST(ToLayerTensorsTest, ReordersColumnsOfAFullyConnectedLayerAndBack) {
  Topology topology;
  topology.name = "columns";
  topology.input = {2, 1, 3};
  topology.operations.resize(1);
  topology.operations[0].kind = OperationKind::kFullyConnected;
  topology.operations[0].name = "dense";
  topology.operations[0].out_channels = 1;
  FloatWeights weights;
  // Channel c, row h: 10 * c + h.
  weights.layers.push_back({"dense", {1, 6}, {0, 1, 10, 11, 20, 21}, {0.5F}, {}});
  const std::vector<LayerTensors> layers = ToLayerTensors(topology, weights);
  EXPECT_TRUE(
      at::equal(layers[0].weight, torch::tensor({{0.0F, 10.0F, 20.0F, 1.0F, 11.0F, 21.0F}})));
  EXPECT_EQ(ToFloatWeights(topology, layers, {{}}), weights);
}

}  // namespace
}  // namespace bitpilot

#include "agent/qat/fake_quant.h"

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// `gradient` in the memory order of `like`.
at::Tensor InOrderOf(const at::Tensor& gradient, const at::Tensor& like) {
  if (gradient.strides() == like.strides()) return gradient;
  return at::empty_like(like).copy_(gradient);
}

at::Tensor Dense(const at::Tensor& x) {
  return x.is_non_overlapping_and_dense() ? x : x.contiguous();
}

// Weights of one output channel, which lie together in memory.
std::size_t ChannelSize(const at::Tensor& weight) {
  const std::int64_t depth = weight.numel() / weight.size(0);
  BITPILOT_CHECK(weight.size(0) == 1 || weight.stride(0) == depth);
  return static_cast<std::size_t>(depth);
}

struct TensorFunction : public torch::autograd::Function<TensorFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& step, double q_min, double q_max) {
    const at::Tensor x = Dense(input);
    context->save_for_backward({x, step});
    context->saved_data["q_min"] = q_min;
    context->saved_data["q_max"] = q_max;
    at::Tensor y = at::empty_like(x);
    const LevelRange range{static_cast<float>(q_min), static_cast<float>(q_max)};
    FakeQuantize(x.data_ptr<float>(), y.data_ptr<float>(), static_cast<std::size_t>(x.numel()),
                 *step.data_ptr<float>(), range);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const LevelRange range{static_cast<float>(context->saved_data["q_min"].toDouble()),
                           static_cast<float>(context->saved_data["q_max"].toDouble())};
    const auto n = static_cast<std::size_t>(x.numel());
    const at::Tensor dy = InOrderOf(outputs[0], x);
    at::Tensor dx = at::empty_like(x);
    const double step_gradient =
        FakeQuantizeBackward(x.data_ptr<float>(), dy.data_ptr<float>(), dx.data_ptr<float>(), n,
                             *saved[1].data_ptr<float>(), range);
    at::Tensor dstep = at::full_like(saved[1], step_gradient * LsqGradientScale(n, range));
    return {dx, dstep, at::Tensor(), at::Tensor()};
  }
};

struct WeightsFunction : public torch::autograd::Function<WeightsFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& steps, const std::vector<std::int64_t>& bits) {
    const at::Tensor weight = Dense(input);
    context->save_for_backward({weight, steps});
    context->saved_data["bits"] = bits;
    at::Tensor y = at::empty_like(weight);
    const std::size_t depth = ChannelSize(weight);
    for (std::size_t c = 0; c < bits.size(); ++c) {
      FakeQuantize(weight.data_ptr<float>() + c * depth, y.data_ptr<float>() + c * depth, depth,
                   steps.data_ptr<float>()[c], WeightRange(static_cast<int>(bits[c])));
    }
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& weight = saved[0];
    const std::vector<std::int64_t> bits = context->saved_data["bits"].toIntVector();
    const at::Tensor dy = InOrderOf(outputs[0], weight);
    at::Tensor dx = at::empty_like(weight);
    at::Tensor dsteps = at::empty_like(saved[1]);
    const std::size_t depth = ChannelSize(weight);
    for (std::size_t c = 0; c < bits.size(); ++c) {
      const LevelRange range = WeightRange(static_cast<int>(bits[c]));
      const double gradient = FakeQuantizeBackward(
          weight.data_ptr<float>() + c * depth, dy.data_ptr<float>() + c * depth,
          dx.data_ptr<float>() + c * depth, depth, saved[1].data_ptr<float>()[c], range);
      dsteps.data_ptr<float>()[c] = static_cast<float>(gradient * LsqGradientScale(depth, range));
    }
    return {dx, dsteps, at::Tensor()};
  }
};

}  // namespace

at::Tensor FakeQuantizeTensor(const at::Tensor& x, const at::Tensor& step,
                              const LevelRange& range) {
  return TensorFunction::apply(x, step, static_cast<double>(range.min),
                               static_cast<double>(range.max));
}

at::Tensor FakeQuantizeWeights(const at::Tensor& weight, const at::Tensor& steps,
                               const std::vector<int>& bits) {
  BITPILOT_CHECK(static_cast<std::int64_t>(bits.size()) == weight.size(0));
  return WeightsFunction::apply(weight, steps, std::vector<std::int64_t>(bits.begin(), bits.end()));
}

}  // namespace bitpilot

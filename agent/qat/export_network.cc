#include "agent/qat/export_network.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "agent/qat/lsq_kernels.h"

namespace bitpilot {
namespace {

std::size_t Index(int bits) { return static_cast<std::size_t>(bits - 1); }

std::vector<TensorQuantization> ExportTensors(const std::vector<StoredQuantizer>& quantizers,
                                              const InputQuantization& input) {
  std::vector<TensorQuantization> tensors;
  tensors.push_back({8, input.zero_point, input.scale});
  for (std::size_t t = 1; t < quantizers.size(); ++t) {
    tensors.push_back({quantizers[t].bits, quantizers[t].zero_point, quantizers[t].step});
  }
  return tensors;
}

LayerWeights ExportWeights(const LayerTensors& layer, const LayerState& state,
                           const std::vector<int>& bits) {
  const std::span<const float> values = Values(layer.weight);
  const std::size_t depth = values.size() / bits.size();
  LayerWeights weights;
  weights.codes.resize(values.size());
  for (std::size_t c = 0; c < bits.size(); ++c) {
    weights.channel_bits.push_back(static_cast<std::uint8_t>(bits[c]));
    QuantizeToLevels(values.data() + c * depth, weights.codes.data() + c * depth, depth,
                     state[Index(bits[c])][c].step, WeightRange(bits[c]));
  }
  return weights;
}

// Range of codes after the activation. Codes below the zero point are negative values.
void SetClamp(Activation activation, const TensorQuantization& output, OutputStage& stage) {
  stage.code_min = activation == Activation::kNone ? 0 : output.zero_point;
  stage.code_max = (1 << output.bits) - 1;
  if (activation == Activation::kRelu6) {
    const long six = std::lrint(6.0 / output.scale) + output.zero_point;
    stage.code_max = static_cast<int>(std::min<long>(stage.code_max, six));
  }
}

// Scales and biases of an operation, given its input's and output's step sizes.
void SetLayerScales(const LayerTensors& layer, const LayerState& state,
                    const std::vector<int>& bits, const std::vector<ChannelStatistics>& statistics,
                    double input_over_output, double output_scale, OutputStage& stage) {
  const ChannelAffine affine = FoldBatchNorm(layer, statistics);
  for (std::size_t c = 0; c < bits.size(); ++c) {
    const double weight_step = state[Index(bits[c])][c].step;
    stage.scale.push_back(static_cast<float>(input_over_output * weight_step * affine.scale[c]));
    stage.bias.push_back(static_cast<float>(affine.shift[c] / output_scale));
  }
}

double PoolDivisor(const Operation& operation) {
  if (operation.kind != OperationKind::kAveragePool) return 1.0;
  return static_cast<double>(operation.kernel_h) * operation.kernel_w;
}

}  // namespace

Network ExportNetwork(const Topology& topology, const std::vector<LayerTensors>& layers,
                      const StateBank& bank, const BitAssignment& assignment,
                      const Estimates& estimates, const InputQuantization& input) {
  Network network;
  network.topology = topology;
  network.input_codes = input.codes;
  network.tensors = ExportTensors(estimates.quantizers, input);
  std::size_t next_layer = 0;
  for (std::size_t i = 0; i < topology.operations.size(); ++i) {
    const Operation& operation = topology.operations[i];
    const bool is_last = i + 1 == topology.operations.size();
    const double input_scale = network.tensors[static_cast<std::size_t>(operation.input)].scale;
    const double output_scale = is_last ? 1.0 : network.tensors[i + 1].scale;
    QuantizedOperation exported;
    if (HasWeights(operation)) {
      const std::vector<int> bits = ExpandRuns(assignment.weight_bits[next_layer]);
      const LayerTensors& layer = layers[next_layer];
      const LayerState& state = bank.layers[next_layer];
      exported.weights = ExportWeights(layer, state, bits);
      SetLayerScales(layer, state, bits, estimates.statistics[next_layer],
                     input_scale / output_scale, output_scale, exported.output);
      ++next_layer;
    } else {
      const double scale = input_scale / output_scale / PoolDivisor(operation);
      const auto channels = static_cast<std::size_t>(operation.out_channels);
      exported.output.scale.assign(channels, static_cast<float>(scale));
      exported.output.bias.assign(channels, 0.0F);
    }
    if (operation.residual >= 0) {
      const double residual = network.tensors[static_cast<std::size_t>(operation.residual)].scale;
      exported.output.residual_scale = static_cast<float>(residual / output_scale);
    }
    if (!is_last) SetClamp(operation.activation, network.tensors[i + 1], exported.output);
    network.operations.push_back(std::move(exported));
  }
  return network;
}

}  // namespace bitpilot

#include "kernels/base/network.h"

#include <cmath>
#include <string>

#include "kernels/base/dense_codes.h"

namespace bitpilot {
namespace {

std::string Expected(std::string_view what, std::string_view expected, std::int64_t got) {
  return std::string(what) + " must be " + std::string(expected) + ", got " + std::to_string(got);
}

Status CheckSize(std::string_view what, std::int64_t expected, std::size_t got) {
  if (got == static_cast<std::uint64_t>(expected)) return Status();
  return InvalidArgument(std::string(what) + " must have " + std::to_string(expected) +
                         " entries, got " + std::to_string(got));
}

Status CheckMagnitude(std::string_view what, float value) {
  // NaN fails the comparison too.
  if (std::fabs(value) <= kMaxStageMagnitude) return Status();
  return InvalidArgument(std::string(what) + " must be finite and at most " +
                         std::to_string(kMaxStageMagnitude) + ", got " + std::to_string(value));
}

Status CheckTensor(const TensorQuantization& tensor, bool after_relu) {
  if (tensor.bits < 1 || tensor.bits > 8) {
    return InvalidArgument(Expected("bits", "in [1, 8]", tensor.bits));
  }
  const int max_code = (1 << tensor.bits) - 1;
  if (tensor.zero_point < 0 || tensor.zero_point > max_code) {
    return InvalidArgument(
        Expected("zero_point", "in [0, " + std::to_string(max_code) + "]", tensor.zero_point));
  }
  if (after_relu && tensor.zero_point != 0) {
    return InvalidArgument(Expected("zero_point", "0 after ReLU", tensor.zero_point));
  }
  if (!(tensor.scale > 0.0F) || !std::isfinite(tensor.scale)) {
    return InvalidArgument("scale must be positive and finite, got " +
                           std::to_string(tensor.scale));
  }
  return Status();
}

bool IsWeightCode(int code, int bits) {
  if (bits == 1) return code == 1 || code == -1;
  const int limit = (1 << (bits - 1)) - 1;
  return code >= -limit && code <= limit;
}

Status CheckWeights(const LayerWeights& weights, int out_channels, std::int64_t depth) {
  BITPILOT_RETURN_IF_ERROR(CheckSize("channel_bits", out_channels, weights.channel_bits.size()));
  const auto num_stored =
      static_cast<std::int64_t>(NumStoredChannels(weights, static_cast<std::size_t>(out_channels)));
  BITPILOT_RETURN_IF_ERROR(CheckSize("codes", num_stored * depth, weights.codes.size()));
  const std::int8_t* code = weights.codes.data();
  for (int channel = 0; channel < out_channels; ++channel) {
    const int bits = weights.channel_bits[static_cast<std::size_t>(channel)];
    const std::string where = "channel " + std::to_string(channel);
    if (bits < 0 || bits > 8) {
      return InvalidArgument(Expected(where + ": bits", "in [0, 8]", bits));
    }
    if (bits == 0) continue;
    for (std::int64_t i = 0; i < depth; ++i, ++code) {
      if (IsWeightCode(*code, bits)) continue;
      return InvalidArgument(
          Expected(where + ": weight code", "inside " + std::to_string(bits) + " bits", *code));
    }
  }
  return Status();
}

Status CheckOutputStage(const OutputStage& stage, int out_channels, int max_code) {
  BITPILOT_RETURN_IF_ERROR(CheckSize("scale", out_channels, stage.scale.size()));
  BITPILOT_RETURN_IF_ERROR(CheckSize("bias", out_channels, stage.bias.size()));
  for (const float scale : stage.scale) BITPILOT_RETURN_IF_ERROR(CheckMagnitude("scale", scale));
  for (const float bias : stage.bias) BITPILOT_RETURN_IF_ERROR(CheckMagnitude("bias", bias));
  BITPILOT_RETURN_IF_ERROR(CheckMagnitude("residual_scale", stage.residual_scale));
  if (stage.code_max < 0 || stage.code_max > max_code) {
    return InvalidArgument(
        Expected("code_max", "in [0, " + std::to_string(max_code) + "]", stage.code_max));
  }
  if (stage.code_min < 0 || stage.code_min > stage.code_max) {
    return InvalidArgument(Expected(
        "code_min", "in [0, code_max = " + std::to_string(stage.code_max) + "]", stage.code_min));
  }
  return Status();
}

Status CheckTensors(const Network& network) {
  const Topology& topology = network.topology;
  BITPILOT_RETURN_IF_ERROR(
      CheckSize("tensors", topology.num_stored_tensors(), network.tensors.size()));
  for (std::size_t t = 0; t < network.tensors.size(); ++t) {
    const bool after_relu = t > 0 && topology.operations[t - 1].activation != Activation::kNone;
    BITPILOT_RETURN_IF_ERROR(
        CheckTensor(network.tensors[t], after_relu)
            .WithContext("tensor " + TensorName(topology, static_cast<int>(t))));
  }
  if (network.tensors[0].bits == 8) return Status();
  return InvalidArgument(Expected("tensor input: bits", "8", network.tensors[0].bits));
}

}  // namespace

Status ValidateNetwork(const Network& network) {
  const Topology& topology = network.topology;
  BITPILOT_RETURN_IF_ERROR(ValidateTopology(topology));
  BITPILOT_RETURN_IF_ERROR(CheckSize("input_codes", std::int64_t{256} * topology.input.channels,
                                     network.input_codes.size()));
  BITPILOT_RETURN_IF_ERROR(CheckTensors(network));
  BITPILOT_RETURN_IF_ERROR(
      CheckSize("operations", topology.num_operations(), network.operations.size()));
  for (std::size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& op = topology.operations[i];
    const QuantizedOperation& quantized = network.operations[i];
    const bool has_weights = HasWeights(op);
    const std::int64_t depth = has_weights ? WeightDepth(topology, static_cast<int>(i)) : 0;
    BITPILOT_RETURN_IF_ERROR(
        CheckWeights(quantized.weights, has_weights ? op.out_channels : 0, depth)
            .WithContext("operation " + op.name));
    const bool is_last = i + 1 == network.operations.size();
    const int max_code = is_last ? 255 : (1 << network.tensors[i + 1].bits) - 1;
    BITPILOT_RETURN_IF_ERROR(CheckOutputStage(quantized.output, op.out_channels, max_code)
                                 .WithContext("operation " + op.name));
  }
  return Status();
}

BitAssignment AssignmentOf(const Network& network) {
  BitAssignment assignment;
  for (const int layer : LayerOperations(network.topology)) {
    std::vector<ChannelRun>& runs = assignment.weight_bits.emplace_back();
    for (const int bits :
         network.operations[static_cast<std::size_t>(layer)].weights.channel_bits) {
      if (runs.empty() || runs.back().bits != bits) runs.push_back({0, bits});
      ++runs.back().channels;
    }
  }
  for (const TensorQuantization& tensor : network.tensors) {
    assignment.activation_bits.push_back(tensor.bits);
  }
  return assignment;
}

}  // namespace bitpilot

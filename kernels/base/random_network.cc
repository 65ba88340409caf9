// RandomNetwork(): only integer arithmetic and the operations that IEEE 754 rounds correctly (+, *,
// /, sqrt), so that the same seed gives the same bits everywhere.
#include <array>
#include <cmath>
#include <cstddef>

#include "kernels/base/check.h"
#include "kernels/base/network.h"

namespace bitpilot {
namespace {

// Source: Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014
// (SplitMix64).
class RandomStream {
 public:
  explicit RandomStream(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // In [low, high]. The bias of the remainder (below 2^-32 here) does not matter.
  int Integer(int low, int high) {
    const auto count = static_cast<std::uint64_t>(high - low + 1);
    return low + static_cast<int>((Next() >> 32) % count);
  }

  // In [low, high).
  double Real(double low, double high) {
    return low + (high - low) * (static_cast<double>(Next() >> 11) / 9007199254740992.0);
  }

  bool OneIn(int n) { return Integer(1, n) == 1; }

 private:
  std::uint64_t state_;
};

int MaxCode(const TensorQuantization& tensor) { return (1 << tensor.bits) - 1; }

TensorQuantization RandomTensor(int bits, bool after_relu, RandomStream& random) {
  TensorQuantization tensor;
  tensor.bits = bits;
  const int max_code = MaxCode(tensor);
  // Mostly near the middle, where both signs fit, but every value and the two extremes happen.
  const int middle = (max_code + 1) / 2;
  const int zero_points[] = {middle, random.Integer(0, max_code), 0, max_code, middle, middle};
  const int zero_point = zero_points[random.Integer(0, 5)];
  tensor.zero_point = after_relu ? 0 : zero_point;
  tensor.scale = static_cast<float>(random.Real(0.5, 2.0) / (max_code + 1));
  return tensor;
}

// All codes of the width, its extremes more often than their share.
std::int8_t RandomWeight(int bits, RandomStream& random) {
  if (bits == 1) return random.OneIn(2) ? 1 : -1;
  const int limit = (1 << (bits - 1)) - 1;
  const int code =
      random.OneIn(16) ? (random.OneIn(2) ? limit : -limit) : random.Integer(-limit, limit);
  return static_cast<std::int8_t>(code);
}

LayerWeights RandomWeights(const std::vector<ChannelRun>& runs, std::int64_t depth,
                           RandomStream& random) {
  LayerWeights weights;
  for (const int bits : ExpandRuns(runs)) {
    weights.channel_bits.push_back(static_cast<std::uint8_t>(bits));
    if (bits == 0) continue;
    for (std::int64_t i = 0; i < depth; ++i) weights.codes.push_back(RandomWeight(bits, random));
  }
  return weights;
}

// Mean square of (code - zero_point) for uniform codes.
double MeanSquare(const TensorQuantization& tensor) {
  const double levels = MaxCode(tensor) + 1.0;
  const double offset = MaxCode(tensor) / 2.0 - tensor.zero_point;
  return (levels * levels - 1.0) / 12.0 + offset * offset;
}

// Mean square of a weight for uniform codes.
double WeightMeanSquare(int bits) {
  if (bits <= 1) return 1.0;
  const double limit = (1 << (bits - 1)) - 1;
  return limit * (limit + 1.0) / 3.0;
}

// Typical size of one channel's accumulator.
double AccumulatorSize(const Operation& op, const TensorQuantization& input, int weight_bits,
                       std::int64_t depth) {
  if (HasWeights(op)) {
    return std::sqrt(static_cast<double>(depth) * MeanSquare(input) *
                     WeightMeanSquare(weight_bits));
  }
  // Sums of a window add up instead of averaging out, because codes are not centred.
  const double terms =
      op.kind == OperationKind::kAveragePool ? 1.0 * op.kernel_h * op.kernel_w : 1.0;
  return terms * std::sqrt(MeanSquare(input));
}

// `span`: how far the outputs of one channel should spread, in code steps. Half a span of standard
// deviation lets a good part of the outputs saturate.
OutputStage RandomOutputStage(const Operation& op, double span, RandomStream& random) {
  OutputStage stage;
  for (int channel = 0; channel < op.out_channels; ++channel) {
    const double sign = random.OneIn(8) ? -1.0 : 1.0;
    stage.scale.push_back(static_cast<float>(sign * random.Real(0.25, 0.75) * span));
    stage.bias.push_back(static_cast<float>(random.Real(-0.25, 0.5) * span));
  }
  return stage;
}

void SetCodeRange(const Operation& op, const TensorQuantization& output, RandomStream& random,
                  OutputStage& stage) {
  stage.code_min = 0;
  stage.code_max = MaxCode(output);
  // The real value 6 may lie below the largest code.
  if (op.activation == Activation::kRelu6) stage.code_max -= random.Integer(0, stage.code_max / 4);
}

}  // namespace

Network RandomNetwork(const Topology& topology, const BitAssignment& assignment,
                      std::uint64_t seed) {
  BITPILOT_CHECK(ValidateTopology(topology).ok());
  BITPILOT_CHECK(ValidateAssignment(topology, assignment).ok());
  RandomStream random(seed);
  Network network;
  network.topology = topology;
  for (int i = 0; i < 256 * topology.input.channels; ++i) {
    network.input_codes.push_back(static_cast<std::uint8_t>(random.Integer(0, 255)));
  }
  for (std::size_t t = 0; t < assignment.activation_bits.size(); ++t) {
    const bool after_relu = t > 0 && topology.operations[t - 1].activation != Activation::kNone;
    network.tensors.push_back(RandomTensor(assignment.activation_bits[t], after_relu, random));
  }
  std::size_t layer = 0;
  for (std::size_t i = 0; i < topology.operations.size(); ++i) {
    const Operation& op = topology.operations[i];
    const bool is_last = i + 1 == topology.operations.size();
    const double span = is_last ? 8.0 : MaxCode(network.tensors[i + 1]);
    const TensorQuantization& input = network.tensors[static_cast<std::size_t>(op.input)];
    const std::int64_t depth = HasWeights(op) ? WeightDepth(topology, static_cast<int>(i)) : 1;
    QuantizedOperation quantized;
    quantized.output = RandomOutputStage(op, span, random);
    if (HasWeights(op)) {
      quantized.weights = RandomWeights(assignment.weight_bits[layer++], depth, random);
    }
    for (std::size_t c = 0; c < quantized.output.scale.size(); ++c) {
      const int bits = HasWeights(op) ? quantized.weights.channel_bits[c] : 8;
      const double size = AccumulatorSize(op, input, bits, depth);
      quantized.output.scale[c] = static_cast<float>(quantized.output.scale[c] / size);
    }
    if (op.residual >= 0) {
      const TensorQuantization& residual = network.tensors[static_cast<std::size_t>(op.residual)];
      const double size = std::sqrt(MeanSquare(residual));
      quantized.output.residual_scale = static_cast<float>(random.Real(0.25, 0.75) * span / size);
    }
    if (!is_last) SetCodeRange(op, network.tensors[i + 1], random, quantized.output);
    network.operations.push_back(std::move(quantized));
  }
  return network;
}

}  // namespace bitpilot

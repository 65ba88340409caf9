// Network: a quantized integer network, complete and ready to run. The file that the agent exports,
// sends to boards and archives is this structure (kernels/base/network_file.h).
//
// The numbers (one contract for training, host reference and every kernel):
//   code      a stored activation, an unsigned integer in [0, 2^bits - 1]; its real value is
//             (code - zero_point) * scale
//   weight    a two's complement code in [-(2^(b-1) - 1), 2^(b-1) - 1] for b in 2..8,
//             {-1, +1} for b = 1, 0 for b = 0
//   acc[c]    the int32 sum of (x - zero point of x) * w; pooling sums (or takes the maximum of)
//             x - zero point
//   output    code = Requantize(acc[c], ...) as kernels/output/requantize.h defines it; the last
//             operation gives the float t instead
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct TensorQuantization {
  int bits = 8;        // In [1, 8].
  int zero_point = 0;  // In [0, 2^bits - 1]; 0 after ReLU.
  float scale =
      1.0F;  // Real value of one code step; > 0 and finite. For people: kernels never read it.
  friend bool operator==(const TensorQuantization&, const TensorQuantization&) = default;
};

// Weights of one convolution or fully connected layer, in the float network's channel order.
struct LayerWeights {
  std::vector<std::uint8_t> channel_bits;  // [O], each in [0, 8]; 0: pruned, has no codes
  std::vector<std::int8_t> codes;  // [O less the pruned, KH, KW, I / groups], or [.., H * W * C]
  friend bool operator==(const LayerWeights&, const LayerWeights&) = default;
};

// Largest magnitude of a scale, a bias or a residual scale: t then stays finite for every
// accumulator.
inline constexpr float kMaxStageMagnitude = 1e20F;

// How one operation turns its accumulator into codes (kernels/output/requantize.h):
//
//   t = float(acc[c]) * scale[c] + bias[c]  (+ float(r - zero point of r) * residual_scale)
//   code = nearest_even(clamp(t + zero point of the output, code_min, code_max))
struct OutputStage {
  std::vector<float> scale;     // s[c], [out channels]; may exceed 1 and may be negative
  std::vector<float> bias;      // b[c], [out channels]
  float residual_scale = 0.0F;  // Read only if the operation has a residual.
  int code_min = 0;  // 0 <= code_min <= code_max <= 2^bits - 1; unused by the last operation
  int code_max = 255;
  friend bool operator==(const OutputStage&, const OutputStage&) = default;
};

struct QuantizedOperation {
  LayerWeights weights;  // Empty where the operation has none.
  OutputStage output;
  friend bool operator==(const QuantizedOperation&, const QuantizedOperation&) = default;
};

struct Network {
  Topology topology;
  // Code of pixel value p in channel c: input_codes[c * 256 + p]. Pixels are unsigned bytes [C, H,
  // W], planar, as a CIFAR-10 record stores them; the table holds the network's per-channel
  // normalization.
  std::vector<std::uint8_t> input_codes;
  std::vector<TensorQuantization> tensors;     // [num_stored_tensors]
  std::vector<QuantizedOperation> operations;  // [num_operations], parallel to topology.operations

  std::int64_t input_bytes() const { return topology.input.elements(); }
  int num_classes() const { return topology.operations.back().out_channels; }
  friend bool operator==(const Network&, const Network&) = default;
};

// Checks everything a kernel relies on: topology, sizes, ranges, finite numbers, weights inside
// their widths.
//
// Errors:
//   kInvalidArgument  names the operation or tensor, what was expected and what came.
Status ValidateNetwork(const Network& network);

// Widths of `network`, with channel runs merged.
//
// REQUIRES: ValidateNetwork(network).ok().
BitAssignment AssignmentOf(const Network& network);

// A network with `assignment`'s widths and seeded random numbers that use the whole range of codes:
// what benchmarks and kernel tests run when no trained weights are given. The same seed gives the
// same network on every machine.
//
// REQUIRES: both arguments are valid.
Network RandomNetwork(const Topology& topology, const BitAssignment& assignment,
                      std::uint64_t seed);

}  // namespace bitpilot

// StateBank: what each layer and each stored tensor learned at each bit-width, so that switching
// widths restores it.
//
// Weights: a step size per channel and width. Tensors: a step size and zero point per width. Batch
// norm has no state: training normalizes with each mini-batch's own statistics, and those for
// inference are estimated when they are needed (QuantizedModel::ReestimateBatchNorm()). Plain data,
// no LibTorch.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "agent/qat/adam.h"
#include "kernels/base/bit_assignment.h"

namespace bitpilot {

inline constexpr int kMaxBits = 8;

// One stored tensor at one width.
struct TensorWidthState {
  LearnedStep learned;
  int zero_point = 0;
  float calibrated_step = 0.0F;  // from the last calibration; 0: none
  friend bool operator==(const TensorWidthState&, const TensorWidthState&) = default;
};

using LayerState = std::array<std::vector<LearnedStep>, kMaxBits>;  // [bits - 1][O]
using TensorState = std::array<TensorWidthState, kMaxBits>;         // [bits - 1]

// Makes `layer` ready for `bits` (the width of each channel, [O]): step sizes that were never
// trained are searched anew on `weights` ([O, depth]).
void PrepareLayer(LayerState& layer, std::span<const float> weights, std::span<const int> bits);

// Makes `tensor` ready for `bits`: a step size that was never trained is its calibrated one,
// rescaled by what training did to the nearest trained width. Returns false if `bits` was never
// calibrated.
bool PrepareTensor(TensorState& tensor, int bits);

struct StateBank {
  std::vector<LayerState> layers;    // parallel to LayerOperations()
  std::vector<TensorState> tensors;  // [num_stored_tensors]; the input's entry is unused
  friend bool operator==(const StateBank&, const StateBank&) = default;
};

// What one stored tensor's quantizer does.
struct StoredQuantizer {
  float step = 0.0F;  // 0: not quantized
  int bits = 8;
  int zero_point = 0;
  friend bool operator==(const StoredQuantizer&, const StoredQuantizer&) = default;
};

// Step sizes, widths and zero points of the stored tensors at `assignment`, as `bank` has them.
std::vector<StoredQuantizer> QuantizersOf(const StateBank& bank, const BitAssignment& assignment);

// Forgets what training learned about the widths of `assignment`, so that they are prepared and
// calibrated anew; other widths keep theirs.
void ForgetWidths(const BitAssignment& assignment, StateBank& bank);

}  // namespace bitpilot

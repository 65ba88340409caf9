// StateBank: what each layer and each stored tensor learned at each bit-width, so that switching
// widths restores it.
//
// Weights: a step size per channel and width, and batch-norm running statistics per channel and the
// width of that channel's weights. Tensors: a step size and zero point per width. Plain data, no
// LibTorch.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "agent/qat/adam.h"
#include "agent/qat/channel_statistics.h"

namespace bitpilot {

inline constexpr int kMaxBits = 8;

// One layer at one weight width.
struct LayerWidthState {
  std::vector<LearnedStep> steps;             // [O]
  std::vector<ChannelStatistics> statistics;  // [O], or empty: no batch norm
  friend bool operator==(const LayerWidthState&, const LayerWidthState&) = default;
};

// One stored tensor at one width.
struct TensorWidthState {
  LearnedStep learned;
  int zero_point = 0;
  float calibrated_step = 0.0F;  // from the last calibration; 0: none
  friend bool operator==(const TensorWidthState&, const TensorWidthState&) = default;
};

using LayerState = std::array<LayerWidthState, kMaxBits>;    // [bits - 1]
using TensorState = std::array<TensorWidthState, kMaxBits>;  // [bits - 1]

// Makes `layer` ready for `bits` (the width of each channel, [O]). Step sizes that were never
// trained are searched anew on `weights` ([O, depth]); statistics that were never set are copied
// from the nearest width of the same channel (the wider of two).
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

}  // namespace bitpilot

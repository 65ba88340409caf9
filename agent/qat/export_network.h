// From trained parameters to the integer network that runs (kernels/base/network.h).
//
// Batch norm is folded after weight quantization, so a channel's step size carries its sign and
// size:
//
//   scale[c] = s_x * s_w[c] * a[c] / s_y     a[c] = gamma[c] / sqrt(variance[c] + epsilon)
//   bias[c]  = ((bias[c] - mean[c]) * a[c] + beta[c]) / s_y
//   residual_scale = s_r / s_y               for pooling, copies and additions: scale = s_x / s_y
//
// s_x, s_y, s_r are the step sizes of the input, output and residual tensor; s_y = 1 for the
// logits. All computed in double, rounded to float once.
#pragma once

#include <vector>

#include "agent/qat/calibrator.h"
#include "agent/qat/image_batch.h"
#include "agent/qat/layer_tensors.h"
#include "agent/qat/state_bank.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// `estimates` gives batch norm, and step sizes and zero points of stored tensors.
//
// REQUIRES: every layer has its step sizes at `assignment` (PrepareLayer()).
Network ExportNetwork(const Topology& topology, const std::vector<LayerTensors>& layers,
                      const StateBank& bank, const BitAssignment& assignment,
                      const Estimates& estimates, const InputQuantization& input);

}  // namespace bitpilot

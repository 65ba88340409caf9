// Trained weights as a weight file: the float network's tensors under its own names, and beside
// them the state of every bit-width.
//
//   bitpilot.layer.<l>.w<b>.step        [O]      step sizes of layer l at b bits; 0 where b was
//   never used bitpilot.layer.<l>.w<b>.statistics  [O, 2]   mean, variance; variance below 0 where
//   never set bitpilot.tensor.<t>.state           [8, 3]   step size, zero point and calibrated
//   step size of tensor t at 1..8 bits
#pragma once

#include <string>

#include "agent/model/float_weights.h"
#include "agent/qat/state_bank.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Errors: as WriteSafetensors().
Status WriteTrainedWeights(const ModelDefinition& definition, const FloatWeights& weights,
                           const StateBank& bank, const std::string& path);

// Restores step sizes and statistics into `bank`, whose sizes say what to expect. A file without
// any of these tensors is a plain float network and leaves `bank` as it is. What is restored counts
// as trained: a new width does not change it.
//
// Errors: as ReadSafetensors(); kInvalidArgument for a tensor of another shape.
Status LoadWidthState(const std::string& path, StateBank* bank);

}  // namespace bitpilot

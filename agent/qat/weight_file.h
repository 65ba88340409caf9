// Trained weights as a weight file: the float network's tensors under its own names, and beside
// them the state of every bit-width:
//
//   bitpilot.layer.<l>.w<b>.step        [O]     step sizes of layer l at b bits
//   bitpilot.layer.<l>.w<b>.statistics  [O, 2]  mean and variance at b bits
//   bitpilot.tensor.<t>.state           [8, 3]  step size, zero point and calibrated step size of
//                                               stored tensor t at 1..8 bits
//
// A step size of 0 or a variance below 0 means that the width was never used.
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
// Errors: as ReadSafetensors(); kInvalidArgument for a tensor of another shape; kDataCorrupt for
// numbers that are no state; the message names file and tensor. *bank is undefined then.
Status LoadWidthState(const std::string& path, StateBank* bank);

}  // namespace bitpilot

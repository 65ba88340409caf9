// Trained weights as a weight file: the float network's tensors under its own names, and beside
// them the state of every bit-width:
//
//   bitpilot.layer.<l>.w<b>.step  [O]     step sizes of layer l at b bits, as training learned them
//   bitpilot.layer.<l>.bits       [O]     widths of layer l that the file's batch norm belongs to
//   bitpilot.tensor.<t>.state     [8, 3]  step size, zero point and calibrated step size of stored
//                                         tensor t at 1..8 bits
//   bitpilot.activation_bits      [T]     widths of stored tensors that it belongs to
//
// A step size of 0 means that training learned none. Files without the two lists of widths are of an
// older version: batch norm must be estimated before their weights are used.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/model/float_weights.h"
#include "agent/qat/state_bank.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"

namespace bitpilot {

// weights: with the batch-norm statistics at `assignment`, to which `quantizers` belong, too.
//
// Errors: as WriteSafetensors().
Status WriteTrainedWeights(const ModelDefinition& definition, const FloatWeights& weights,
                           const StateBank& bank, const BitAssignment& assignment,
                           const std::vector<StoredQuantizer>& quantizers, const std::string& path);

struct SavedWidths {
  bool is_trained = false;  // false: a plain float network
  std::optional<BitAssignment> assignment;
};

// Restores step sizes into `bank`, whose sizes say what to expect. A plain float network leaves it
// as it is. What is restored counts as trained: a new width does not change it.
//
// Errors: as ReadSafetensors(); kInvalidArgument for a tensor of another shape; kDataCorrupt for
// numbers that are no state; the message names file and tensor. *bank is undefined then.
Result<SavedWidths> LoadWidthState(const std::string& path, const Topology& topology,
                                   StateBank* bank);

}  // namespace bitpilot

// TrainingState: everything that training changes, and its bytes as a checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/qat/adam.h"
#include "agent/qat/layer_tensors.h"
#include "agent/qat/state_bank.h"
#include "agent/qat/training_stream.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct TrainingState {
  std::vector<LayerTensors> layers;
  std::vector<AdamMoments> moments;  // of every parameter of every layer, in order
  StateBank bank;
  BitAssignment assignment;
  TrainingStream stream{0};
  std::int64_t batches_trained = 0;
};

// False if training diverged: some weight, moment, step size is not a finite number.
bool IsFinite(const TrainingState& state);

// The state's bytes: a magic number with the version, the topology's name, the state, a SHA-256 of
// all before. A model that loads them goes on training exactly like the one that saved them.
std::string SerializeTrainingState(const Topology& topology, const TrainingState& state);

// Replaces *state, which must belong to the same topology; leaves it as it was on failure.
//
// Errors:
//   kDataCorrupt      truncated, wrong checksum, or no checkpoint of this topology; the message
//                     says which.
//   kVersionMismatch  written by another version of bitpilot.
Status ParseTrainingState(const Topology& topology, std::string_view bytes, TrainingState* state);

}  // namespace bitpilot

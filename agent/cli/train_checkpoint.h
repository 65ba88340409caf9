// What `bitpilot train` leaves when it is stopped: the training state, and how many threads trained.
//
//   bitpilot-train 1\n
//   threads 2\n
//   then a training state (agent/qat/training_state.h), which has a checksum of its own
//
// Files of an older bitpilot are a training state alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

struct TrainCheckpoint {
  std::optional<int> threads;  // in [1, kMaxTrainThreads]; none in files of an older bitpilot
  std::string state;
};

std::string FormatTrainCheckpoint(int threads, std::string_view state);

// Does not look into the state.
//
// Errors: kDataCorrupt for a head that is not as above.
Result<TrainCheckpoint> ParseTrainCheckpoint(std::string_view bytes);

}  // namespace bitpilot

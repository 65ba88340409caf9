// What `bitpilot train` leaves when it is stopped: how it trains, and the training state.
//
//   bitpilot-train 1\n
//   sha256 <64 hexadecimal digits, of all that follows>\n
//   {"threads":[2],"weights_sha256":...}\n           one line: TrainRecipe and the threads so far
//   then a training state (agent/qat/training_state.h), which has a checksum of its own
//
// Files of an older bitpilot are a training state alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// What decides how the mini-batches that are left train, and is not in the state: training that went on
// by another one would be neither.
struct TrainRecipe {
  std::string weights_sha256;  // of the float weights, which teach where there is no --teacher
  std::string data_sha256;     // of all images
  std::string teacher;         // the model's name; empty without --teacher
  std::string teacher_sha256;  // of its weights; empty without --teacher
  bool distill = true;
  double learning_rate = 0.0;
  int batch_size = 0;
  std::int64_t batches = 0;  // of the whole training: what the rate's decay runs over
};

struct TrainCheckpoint {
  std::optional<TrainRecipe> recipe;  // none in files of an older bitpilot
  // How many threads trained, in [1, kMaxTrainThreads], each time that the number changed; the last one
  // is that of the state. 0, as the first: not known, of an older bitpilot. Not empty.
  std::vector<int> threads = {0};
  std::string state;
};

// `checkpoint` as a file. REQUIRES: it has a recipe.
std::string FormatTrainCheckpoint(const TrainCheckpoint& checkpoint);

// Does not look into the state.
//
// Errors: kDataCorrupt for a head that is not as above, or a file that is not as it was written.
Result<TrainCheckpoint> ParseTrainCheckpoint(std::string_view bytes);

// Errors: kInvalidArgument where `now` trains otherwise than `before`, with every flag that differs, what
// it was and what it is.
Status CheckSameRecipe(const TrainRecipe& before, const TrainRecipe& now);

// For people: with how many threads training goes on, and whether it always had as many.
// threads: TrainCheckpoint's.
std::string DescribeThreads(const std::vector<int>& threads, int now);

// `threads` after `now` trained, too.
std::vector<int> WithThreads(std::vector<int> threads, int now);

}  // namespace bitpilot

// The flags of `bitpilot train`, and what can be known of them before LibTorch or images load.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/cli/command.h"
#include "agent/model/model_definition.h"
#include "agent/qat/train_options.h"
#include "agent/session/named_inputs.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct TrainFlags {
  std::string model;
  std::string weights;
  std::string data = "sample";
  std::string bits;
  std::string output;
  std::string teacher;  // "MODEL:WEIGHTS"; empty: the float network
  double epochs = 1.0;
  std::optional<std::int64_t> batches;  // instead of epochs
  TrainOptions options{.rate_end = 0.0};
  double checkpoint_seconds = 120.0;
  std::uint64_t seed = 1;
  std::optional<int> threads;  // of --train-threads
  bool no_distill = false;
  bool resume = false;
  bool json = false;
};

// Where training leaves what --resume goes on from.
std::string CheckpointFile(const TrainFlags& flags);

// That the output replaces no file, and that --resume is given where, and only where, an unfinished
// training lies beside it.
//
// Errors: kInvalidArgument, kNotFound (--resume alone); both name the file and what to do.
Status CheckNothingIsReplaced(const TrainFlags& flags);

// Registers the command with its flags, which `flags` takes and must outlive. It has no callback.
CLI::App* AddTrainFlags(CLI::App& app, TrainFlags& flags);

struct TrainInputs {
  ModelDefinition definition;
  BitAssignment assignment;
  std::string weights;  // the file
  std::optional<FoundTeacher> teacher;
};

// Flags first, then small files, then whether large ones are there.
//
// pipes: what it leaves is missing in the result.
//
// Errors: of the first of these that is wrong; names the flag.
Result<TrainInputs> CheckTrain(const TrainFlags& flags, Pipes pipes);

}  // namespace bitpilot

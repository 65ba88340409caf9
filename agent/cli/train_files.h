// TrainFiles: what `bitpilot train` leaves on the disk: checkpoints while it trains, in their place the
// weights when it has ended.
//
//   OUTPUT        the weights; never replaces a file
//   OUTPUT.ckpt   agent/cli/train_checkpoint.h, at most --checkpoint-seconds behind
//   OUTPUT.lock   held by the process that writes these (kernels/base/file_lock.h)
//
// Where OUTPUT is a device or a pipe there is no lock, a checkpoint only where the user stops it, and
// nothing waits for room.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/cli/train_checkpoint.h"
#include "agent/cli/train_flags.h"
#include "agent/qat/quantized_model.h"
#include "kernels/base/file_lock.h"
#include "kernels/base/status.h"

namespace bitpilot {

class TrainFiles {
 public:
  using Notice = std::function<void(const std::string&)>;

  // Claims the output for this process. Both arguments outlive the files.
  //
  // Errors: FileLock::Acquire()'s, CheckNothingIsReplaced()'s.
  static Result<TrainFiles> Claim(const TrainFlags& flags, const Notice& notice);

  // Before it trains: `checkpoint` says how, its state is the model's each time that it is saved. Saves
  // it, unless the training goes on from it: a disk without room is met before hours are trained.
  //
  // Errors: WriteFileAtomically()'s.
  Status Begin(TrainCheckpoint checkpoint, const QuantizedModel& model);

  // Between mini-batches: whether the checkpoint is older than it may be.
  bool IsDue(const QuantizedModel& model) const;

  // Saves if that is due. What cannot be written is told once and ends nothing.
  void SaveIfDue(const QuantizedModel& model);

  // Saves where the user stops it. On a full disk it tells and waits for room.
  //
  // Errors: WriteFileAtomically()'s, but for a full disk, with what is lost.
  Status SaveAtStop(const QuantizedModel& model);

  // Writes the weights and removes the checkpoint. On a full disk it tells and waits for room, or for
  // a stop.
  //
  // Errors: QuantizedModel::SaveWeights()'s, with what is lost.
  Status Finish(const QuantizedModel& model);

  // After training that diverged: what this run saved leads there again.
  void Forget();

 private:
  TrainFiles(const TrainFlags& flags, const Notice& notice, std::optional<FileLock> lock)
      : flags_(flags), notice_(notice), lock_(std::move(lock)) {}

  Status Save(const QuantizedModel& model);
  // Calls `write` until it finds room or `gives_up`; says `how` to give up.
  Status WaitForRoom(const std::function<Status()>& write, const std::function<bool()>& gives_up,
                     const std::string& how) const;
  std::string WhatIsLost() const;

  const TrainFlags& flags_;
  const Notice& notice_;
  std::optional<FileLock> lock_;
  TrainCheckpoint checkpoint_;
  std::int64_t saved_batches_ = 0;
  std::int64_t tried_batches_ = 0;  // when it last tried to save, in vain or not
  std::chrono::steady_clock::time_point last_try_;
  bool told_unsaved_ = false;
};

}  // namespace bitpilot

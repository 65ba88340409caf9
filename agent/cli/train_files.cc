#include "agent/cli/train_files.h"

#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "kernels/base/file_io.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

constexpr std::chrono::milliseconds kRoomPoll{500};

}  // namespace

Result<TrainFiles> TrainFiles::Claim(const TrainFlags& flags, const Notice& notice) {
  std::optional<FileLock> lock;
  if (!IsReadOnce(flags.output)) {
    Result<FileLock> acquired = FileLock::Acquire(flags.output);
    if (!acquired.ok()) return acquired.status().WithContext("--output");
    lock.emplace(std::move(*acquired));
  }
  // Another process may have ended since the flags were checked.
  BITPILOT_RETURN_IF_ERROR(CheckNothingIsReplaced(flags));
  return TrainFiles(flags, notice, std::move(lock));
}

Status TrainFiles::Begin(TrainCheckpoint checkpoint, const QuantizedModel& model) {
  checkpoint_ = std::move(checkpoint);
  saved_batches_ = tried_batches_ = model.batches_trained();
  last_try_ = std::chrono::steady_clock::now();
  return flags_.resume || !lock_ ? Status() : Save(model);
}

bool TrainFiles::IsDue(const QuantizedModel& model) const {
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - last_try_;
  return lock_ && model.batches_trained() > tried_batches_ &&
         since.count() >= flags_.checkpoint_seconds;
}

void TrainFiles::SaveIfDue(const QuantizedModel& model) {
  if (!IsDue(model)) return;
  const Status saved = Save(model);
  if (!saved.ok() && !told_unsaved_) {
    notice_(saved.message() + "; it trains on, and tries that again; " + WhatIsLost() +
            " if it is killed before");
  }
  told_unsaved_ = !saved.ok();
}

Status TrainFiles::SaveAtStop(const QuantizedModel& model) {
  // A second Ctrl-C ends the program.
  const Status saved =
      WaitForRoom([&] { return Save(model); }, [] { return false; }, "stop it again to give up");
  if (saved.ok()) return saved;
  return Status(saved.code(), saved.message() + "; " + WhatIsLost());
}

Status TrainFiles::Finish(const QuantizedModel& model) {
  const Status written = WaitForRoom([&] { return model.SaveWeights(flags_.output); }, StopAskedFor,
                                     "Ctrl-C gives up");
  if (!written.ok()) return Status(written.code(), written.message() + "; " + WhatIsLost());
  std::error_code ignored;
  std::filesystem::remove(CheckpointFile(flags_), ignored);
  return Status();
}

void TrainFiles::Forget() {
  std::error_code ignored;
  if (!flags_.resume) std::filesystem::remove(CheckpointFile(flags_), ignored);
}

Status TrainFiles::Save(const QuantizedModel& model) {
  tried_batches_ = model.batches_trained();
  last_try_ = std::chrono::steady_clock::now();
  checkpoint_.state = model.SaveCheckpoint();
  BITPILOT_RETURN_IF_ERROR(
      WriteFileAtomically(CheckpointFile(flags_), FormatTrainCheckpoint(checkpoint_)));
  saved_batches_ = tried_batches_;
  return Status();
}

Status TrainFiles::WaitForRoom(const std::function<Status()>& write,
                               const std::function<bool()>& gives_up,
                               const std::string& how) const {
  Status status = write();
  if (status.code() != StatusCode::kResourceExhausted || !lock_) return status;
  notice_(status.message() + ": waits until it can; " + how + ", and " + WhatIsLost());
  while (status.code() == StatusCode::kResourceExhausted && !gives_up()) {
    std::this_thread::sleep_for(kRoomPoll);
    status = write();
  }
  return status;
}

std::string TrainFiles::WhatIsLost() const {
  return "what was trained after " + Counted(saved_batches_, "mini-batch", "mini-batches") +
         ", which --resume goes on from, is lost";
}

}  // namespace bitpilot

// The part of SearchEnvironment that trains: its steps' training, what it leaves behind where that
// diverges, and checkpoints.
#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/qat/integer_evaluation.h"
#include "agent/session/search_environment.h"

namespace bitpilot {
namespace {

Status Stopped() { return Status(StatusCode::kAborted, "stopped by the user"); }

TrainOptions TrainOptionsOf(const SearchConfig& config, std::int64_t batches_trained) {
  TrainOptions options;
  options.batch_size = config.batch_size;
  options.learning_rate = config.learning_rate;
  options.distill = config.distill;
  options.rate_end = 0.0;
  options.schedule_batches = static_cast<std::int64_t>(config.train_batches) * config.measurements;
  options.schedule_position = batches_trained;
  return options;
}

// The file that a logged checkpoint must name. Older events have names that do not follow.
std::string NameOf(const CheckpointEvent& logged) {
  if (HasOlderName(logged.file)) return logged.file;
  return StudyFileName(StudyFileKind::kCheckpoint, logged.sha256);
}

// What training can spoil in an exported network.
bool IsFinite(const Network& network) {
  return std::all_of(
             network.tensors.begin(), network.tensors.end(),
             [](const TensorQuantization& tensor) { return std::isfinite(tensor.scale); }) &&
         std::all_of(network.operations.begin(), network.operations.end(),
                     [](const QuantizedOperation& operation) {
                       const auto finite = [](float value) { return std::isfinite(value); };
                       const OutputStage& output = operation.output;
                       return std::all_of(output.scale.begin(), output.scale.end(), finite) &&
                              std::all_of(output.bias.begin(), output.bias.end(), finite) &&
                              finite(output.residual_scale);
                     });
}

}  // namespace

Status SearchEnvironment::Begin() {
  if (config_.train_batches == 0 || journal_.version() < 2) return Status();
  Result<CheckpointEvent> checkpoint = journal_.Observe<CheckpointEvent>(
      [&]() -> Result<CheckpointEvent> {
        if (stop_()) return Stopped();
        BITPILOT_RETURN_IF_ERROR(RestoreModel());
        const Result<StoredFile> file =
            files_.Put(StudyFileKind::kCheckpoint, resources_.model->SaveCheckpoint());
        if (!file.ok()) return file.status();
        return CheckpointEvent{0, file->sha256, file->file, std::nullopt};
      },
      [](const CheckpointEvent& logged) -> Result<CheckpointEvent> {
        return CheckpointEvent{0, logged.sha256, NameOf(logged), std::nullopt};
      });
  if (!checkpoint.ok()) return checkpoint.status();
  checkpoint_ = std::move(*checkpoint);
  return Status();
}

Status SearchEnvironment::RestoreModel() {
  if (config_.train_batches == 0) return Status();  // every step calibrates anew
  const int logged_steps = checkpoint_ ? checkpoint_->step : 0;
  if (model_steps_ == logged_steps) return Status();
  if (checkpoint_) {
    Result<std::string> bytes = files_.Get({checkpoint_->sha256, checkpoint_->file});
    if (!bytes.ok()) return bytes.status();
    BITPILOT_RETURN_IF_ERROR(resources_.model->LoadCheckpoint(*bytes));
  } else {
    // As the set-up leaves it. Calibrating again changes nothing.
    BITPILOT_RETURN_IF_ERROR(resources_.model->SetAssignment(problem_.base));
    resources_.model->Calibrate(*resources_.calibration);
  }
  model_steps_ = logged_steps;
  return Status();
}

Status SearchEnvironment::Prepare(Work& work) {
  if (work.network) return Status();
  if (stop_()) return Stopped();
  BITPILOT_RETURN_IF_ERROR(RestoreModel());
  BITPILOT_RETURN_IF_ERROR(resources_.model->SetAssignment(work.assignment));
  if (config_.train_batches == 0) resources_.model->Calibrate(*resources_.calibration);
  work.network = resources_.model->Export();
  return Status();
}

Status SearchEnvironment::Train(Work& work) {
  if (work.trained) return Status();
  BITPILOT_RETURN_IF_ERROR(Prepare(work));
  const bool restored_after_training = model_steps_ > step_;
  if (config_.train_batches > 0 && !restored_after_training) {
    if (!checkpoint_) state_before_ = resources_.model->SaveCheckpoint();
    model_steps_.reset();  // until all of it is done
    work.train_loss = resources_.model->Train(
        resources_.data->train, config_.train_batches,
        TrainOptionsOf(config_, resources_.model->batches_trained()), stop_);
    if (stop_()) return Stopped();
    const Result<bool> diverged = Diverged(work.train_loss, work);
    if (!diverged.ok()) return diverged.status();
    if (*diverged) BITPILOT_RETURN_IF_ERROR(Undo(work));
    model_steps_ = step_ + 1;
  }
  work.trained = true;
  return Status();
}

Result<bool> SearchEnvironment::Diverged(const std::optional<double>& train_loss, Work& work) {
  if (!train_loss) return true;
  const Status estimated = resources_.model->ReestimateBatchNorm(resources_.data->train);
  if (estimated.code() == StatusCode::kUnsupported) return true;
  BITPILOT_RETURN_IF_ERROR(estimated);
  work.trained_network = resources_.model->Export();
  if (!IsFinite(*work.trained_network)) return true;
  BITPILOT_RETURN_IF_ERROR(Score(work));
  return !std::isfinite(work.evaluation->loss);
}

Status SearchEnvironment::Undo(Work& work) {
  work.diverged = true;
  work.train_loss.reset();
  work.trained_network.reset();
  work.evaluation.reset();
  if (!checkpoint_) return resources_.model->LoadCheckpoint(state_before_);
  return RestoreModel();
}

Status SearchEnvironment::Score(Work& work) {
  if (work.evaluation) return Status();
  Result<Evaluation> evaluation = EvaluateInteger(work.result(), resources_.data->validation);
  if (!evaluation.ok()) return evaluation.status();
  work.evaluation = std::move(*evaluation);
  return Status();
}

Status SearchEnvironment::Checkpoint(Work& work) {
  Result<CheckpointEvent> checkpoint = journal_.Observe<CheckpointEvent>(
      [&]() -> Result<CheckpointEvent> {
        BITPILOT_RETURN_IF_ERROR(Train(work));
        const Result<StoredFile> file =
            files_.Put(StudyFileKind::kCheckpoint, resources_.model->SaveCheckpoint());
        if (!file.ok()) return file.status();
        return CheckpointEvent{step_ + 1, file->sha256, file->file, work.train_loss, work.diverged};
      },
      [&](const CheckpointEvent& logged) { return Recompute(logged); });
  if (!checkpoint.ok()) return checkpoint.status();
  KeepLastTwoCheckpoints(*checkpoint);
  work.train_loss = checkpoint_->train_loss;
  work.diverged = checkpoint_->diverged;
  if (work.diverged) {
    failure_ =
        "training at these widths diverged (a loss or a weight is no finite number); the "
        "search goes on from the weights before it";
  }
  return Status();
}

Result<CheckpointEvent> SearchEnvironment::Recompute(const CheckpointEvent& logged) const {
  CheckpointEvent again{step_ + 1, logged.sha256, NameOf(logged), logged.train_loss,
                        logged.diverged};
  if (!logged.diverged) {
    if (logged.train_loss) return again;
    return DataCorrupt("a checkpoint of step " + std::to_string(step_) +
                       " without the loss of its training, which did not diverge");
  }
  // The state is the one before again.
  again.train_loss.reset();
  if (checkpoint_) again.sha256 = checkpoint_->sha256;
  return again;
}

void SearchEnvironment::KeepLastTwoCheckpoints(CheckpointEvent last) {
  const auto file_of = [](const CheckpointEvent& event) {
    return StoredFile{event.sha256, event.file};
  };
  // One that follows a training that diverged is the file of the one before it.
  const bool is_needed = earlier_checkpoint_ == file_of(last) ||
                         (checkpoint_ && earlier_checkpoint_ == file_of(*checkpoint_));
  if (journal_.recording() && !is_needed) files_.Remove(earlier_checkpoint_);
  if (checkpoint_) earlier_checkpoint_ = file_of(*checkpoint_);
  checkpoint_ = std::move(last);
}

Result<SearchEnvironment::TrainedReference> SearchEnvironment::TrainReference(
    const BitAssignment& assignment) {
  Work work;
  work.assignment = assignment;
  BITPILOT_RETURN_IF_ERROR(Train(work));
  return TrainedReference{work.result(), work.diverged};
}

}  // namespace bitpilot

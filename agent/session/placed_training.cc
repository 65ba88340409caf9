#include "agent/session/placed_training.h"

#include <cmath>
#include <utility>

#include "agent/fleet/stopped.h"

namespace bitpilot {

PlacedTraining::PlacedTraining(const SearchConfig& config, const BitAssignment& base,
                               const StudyFiles& files, QuantizedModel* model,
                               const SearchImages* images, const ImageDataset* calibration,
                               std::function<bool()> stop)
    : config_(config),
      base_(base),
      files_(files),
      model_(model),
      images_(images),
      calibration_(calibration),
      stop_(std::move(stop)) {}

TrainOptions PlacedTraining::options() const {
  TrainOptions options;
  options.batch_size = config_.batch_size;
  options.learning_rate = config_.learning_rate;
  options.distill = config_.distill;
  return options;
}

Result<StoredFile> PlacedTraining::SaveStart() {
  if (stop_()) return Stopped();
  BITPILOT_RETURN_IF_ERROR(model_->SetAssignment(base_));
  model_->Calibrate(*calibration_);
  return files_.Put(StudyFileKind::kCheckpoint, model_->SaveCheckpoint());
}

Status PlacedTraining::Reset() {
  if (trains()) return Status();
  if (!loaded_.empty()) return model_->LoadCheckpoint(loaded_);
  loaded_ = model_->SaveCheckpoint();
  return Status();
}

Status PlacedTraining::Restore(const PlaceFile& place) {
  if (stop_()) return Stopped();
  if (!trains()) return Reset();
  const Result<std::string> bytes = files_.Get(place.file);
  if (!bytes.ok()) return bytes.status();
  return model_->LoadCheckpoint(*bytes).WithContext(place.file.file);
}

Result<PlacedTraining::Trained> PlacedTraining::Train(const PlaceFile& from,
                                                      const BitAssignment& assignment,
                                                      const Pace& pace) {
  if (pace.batches == 0) return Trained{from.file, std::nullopt, false};
  BITPILOT_RETURN_IF_ERROR(Restore(from));
  BITPILOT_RETURN_IF_ERROR(model_->SetAssignment(assignment));
  TrainOptions options = this->options();
  options.rate_begin = pace.rate_begin;
  options.rate_end = pace.rate_end;
  const std::optional<double> loss = model_->Train(images_->train, pace.batches, options, stop_);
  if (stop_()) return Stopped();
  const Trained undone{from.file, std::nullopt, true};
  if (!loss || !std::isfinite(*loss)) return undone;
  const Result<StoredFile> file = files_.Put(StudyFileKind::kCheckpoint, model_->SaveCheckpoint());
  if (!file.ok()) return file.status();
  return Trained{*file, loss, false};
}

Result<bool> PlacedTraining::PrepareReading() {
  if (!trains()) {
    model_->Calibrate(*calibration_);
    return true;
  }
  const Status estimated = model_->ReestimateBatchNorm(images_->train);
  if (estimated.code() == StatusCode::kUnsupported) return false;
  if (!estimated.ok()) return estimated;
  return true;
}

Result<std::optional<ScoredNetwork>> PlacedTraining::Read(const PlaceFile& at,
                                                          const BitAssignment& assignment) {
  BITPILOT_RETURN_IF_ERROR(Restore(at));
  BITPILOT_RETURN_IF_ERROR(model_->SetAssignment(assignment));
  const Result<bool> is_finite = PrepareReading();
  if (!is_finite.ok()) return is_finite.status();
  if (!*is_finite) return std::optional<ScoredNetwork>();
  return ScoreNetwork(model_->Export(), images_->validation);
}

Result<Network> PlacedTraining::ExportForTiming(const PlaceFile& start,
                                                const BitAssignment& assignment) {
  BITPILOT_RETURN_IF_ERROR(Restore(start));
  BITPILOT_RETURN_IF_ERROR(model_->SetAssignment(assignment));
  model_->Calibrate(*calibration_);
  return model_->Export();
}

Result<std::vector<std::optional<double>>> PlacedTraining::Divergences(
    const PlaceFile& at, const std::vector<BitAssignment>& assignments) {
  BITPILOT_RETURN_IF_ERROR(Restore(at));
  return model_->Divergences(*calibration_, assignments, stop_);
}

}  // namespace bitpilot

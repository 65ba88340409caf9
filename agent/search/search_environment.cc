#include "agent/search/search_environment.h"

#include <algorithm>
#include <utility>

#include "agent/qat/integer_evaluation.h"
#include "agent/search/measurement_rows.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

std::string CheckpointFile(int step) {
  return "checkpoints/step-" + std::to_string(step) + ".ckpt";
}

Status Stopped() { return Status(StatusCode::kAborted, "stopped by the user"); }

TrainOptions TrainOptionsOf(const SearchConfig& config) {
  TrainOptions options;
  options.batch_size = config.batch_size;
  options.learning_rate = config.learning_rate;
  options.distill = config.distill;
  options.cosine = true;
  options.total_batches = static_cast<std::int64_t>(config.train_batches) * config.measurements;
  return options;
}

}  // namespace

SearchEnvironment::SearchEnvironment(const SearchConfig& config, const SearchProblem& problem,
                                     Journal& journal, const StudyFiles& files,
                                     const SearchResources& resources, std::function<bool()> stop)
    : config_(config),
      problem_(problem),
      journal_(journal),
      files_(files),
      resources_(resources),
      stop_(std::move(stop)) {}

std::optional<Transition> SearchEnvironment::Step(const Proposal& proposal) {
  BITPILOT_CHECK(measurements_left() > 0);
  failure_.clear();
  Work work;
  work.assignment = ToAssignment(problem_, proposal.choice);
  Result<TransitionEvent> answer = RunStep(proposal, work);
  if (!answer.ok()) {
    if (work.measuring) (void)resources_.board->FinishMeasure();
    status_ = stop_() ? Status() : answer.status();
    return std::nullopt;
  }
  ++step_;
  kept_steps_.push_back(static_cast<int>(transitions_.size()));
  transitions_.push_back(*answer);
  return answer->transition;
}

Result<TransitionEvent> SearchEnvironment::RunStep(const Proposal& proposal, Work& work) {
  const std::int64_t weight_bytes = WeightBytes(problem_.topology, work.assignment);
  const auto& max_bytes = problem_.budgets.max_weight_bytes;
  if (max_bytes && weight_bytes > *max_bytes) {
    return journal_.Observe<TransitionEvent>(
        [&] { return Result<TransitionEvent>(Reject(proposal, weight_bytes)); });
  }
  if (journal_.recording()) {
    BITPILOT_RETURN_IF_ERROR(StartMeasuring(work));
    // A board of its own works while the network trains. On this machine training would slow the
    // kernels down, by more than the differences that the search looks for.
    if (!config_.device.starts_with("local")) BITPILOT_RETURN_IF_ERROR(Train(work));
  }
  const Result<StepRows> rows = Measure(work);
  if (!rows.ok()) return rows.status();
  if (config_.train_batches > 0) BITPILOT_RETURN_IF_ERROR(Checkpoint(work));
  return journal_.Observe<TransitionEvent>([&] { return Evaluate(proposal, *rows, work); });
}

Status SearchEnvironment::RestoreModel() {
  const int logged_steps = checkpoint_ ? checkpoint_->step : 0;
  if (model_steps_ == logged_steps) return Status();
  Result<std::string> bytes = files_.Get(CheckpointFile(logged_steps), checkpoint_->sha256);
  if (!bytes.ok()) return bytes.status();
  BITPILOT_RETURN_IF_ERROR(resources_.model->LoadCheckpoint(*bytes));
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

Status SearchEnvironment::StartMeasuring(Work& work) {
  BITPILOT_RETURN_IF_ERROR(Prepare(work));
  const Result<const Network*> uniform8 = Uniform8();
  if (!uniform8.ok()) return uniform8.status();
  MeasureJob job;
  job.networks = {&*work.network, *uniform8};
  job.tier = work.tier;
  job.energy = !work.knows_energy && problem_.energy_objective == EnergyObjective::kMeasured;
  BITPILOT_RETURN_IF_ERROR(resources_.board->StartMeasure(job));
  work.measuring = true;
  return Status();
}

Status SearchEnvironment::Train(Work& work) {
  if (work.trained) return Status();
  BITPILOT_RETURN_IF_ERROR(Prepare(work));
  const bool restored_after_training = model_steps_ > step_;
  if (config_.train_batches > 0 && !restored_after_training) {
    const double loss = resources_.model->Train(resources_.data->train, config_.train_batches,
                                                TrainOptionsOf(config_), stop_);
    if (stop_()) return Stopped();
    work.train_loss = loss;
    work.network = resources_.model->Export();
    model_steps_ = step_ + 1;
  }
  work.trained = true;
  return Status();
}

Result<const Network*> SearchEnvironment::Uniform8() {
  if (!uniform8_) {
    const Result<std::string> bytes = files_.Get(kUniform8File);
    if (!bytes.ok()) return bytes.status();
    Result<Network> network = ParseNetwork(*bytes);
    if (!network.ok()) return network.status().WithContext(files_.AbsolutePath(kUniform8File));
    uniform8_ = std::move(*network);
  }
  return &*uniform8_;
}

Result<StepRows> SearchEnvironment::Measure(Work& work) {
  const auto measure = [&](Tier tier, const std::string& measurement_id, bool knows_energy) {
    work.tier = tier;
    work.knows_energy = knows_energy;
    return MeasureOnce(work, measurement_id);
  };
  Result<StepRows> rows = MeasureStep("step-" + std::to_string(step_), measure);
  if (rows.ok() && !rows->HasNumbers()) {
    failure_ = rows->candidate.status + ": " + rows->candidate.detail;
  }
  return rows;
}

Result<StepRows> SearchEnvironment::MeasureOnce(Work& work, const std::string& measurement_id) {
  const std::string uniform8_id = measurement_id + "-uniform-8";
  const auto measure = [&]() -> Result<std::vector<MeasurementRow>> {
    if (!work.measuring) BITPILOT_RETURN_IF_ERROR(StartMeasuring(work));
    work.measuring = false;
    const Result<Measurement> measurement = resources_.board->FinishMeasure();
    if (!measurement.ok()) return measurement.status();
    return ToRows(*measurement, work.tier, resources_.board->info(),
                  {{measurement_id, work.assignment}, {uniform8_id, problem_.base}});
  };
  Result<std::vector<MeasurementRow>> rows =
      journal_.ObserveMeasurements({measurement_id, uniform8_id}, measure);
  if (!rows.ok()) return rows.status();
  const EnergyRatios energy = EnergyRatiosOf(rows->front(), rows->back());
  return StepRows{std::move(rows->front()), std::move(rows->back()), energy};
}

Status SearchEnvironment::Checkpoint(Work& work) {
  Result<CheckpointEvent> checkpoint =
      journal_.Observe<CheckpointEvent>([&]() -> Result<CheckpointEvent> {
        BITPILOT_RETURN_IF_ERROR(Train(work));
        const Result<StoredFile> file =
            files_.Put(CheckpointFile(step_ + 1), resources_.model->SaveCheckpoint());
        if (!file.ok()) return file.status();
        return CheckpointEvent{step_ + 1, file->sha256, file->file, work.train_loss.value()};
      });
  if (!checkpoint.ok()) return checkpoint.status();
  checkpoint_ = std::move(*checkpoint);
  work.train_loss = checkpoint_->train_loss;
  files_.Remove(CheckpointFile(step_ - 1));  // the last two stay
  return Status();
}

Result<TransitionEvent> SearchEnvironment::Evaluate(const Proposal& proposal, const StepRows& rows,
                                                    Work& work) {
  BITPILOT_RETURN_IF_ERROR(Train(work));
  const Result<Evaluation> evaluation = EvaluateInteger(*work.network, resources_.data->validation);
  if (!evaluation.ok()) return evaluation.status();
  const Result<StoredFile> file = files_.Put(NetworkFile(step_), SerializeNetwork(*work.network));
  if (!file.ok()) return file.status();
  TransitionEvent answer;
  answer.step = step_;
  answer.train_loss = work.train_loss;
  Transition& transition = answer.transition;
  transition.choice = proposal.choice;
  FillLatency(rows, transition);
  FillEnergy(rows, transition);
  transition.loss = evaluation->loss;
  transition.accuracy = evaluation->accuracy;
  transition.weight_bytes = WeightBytes(problem_.topology, work.assignment);
  return answer;
}

void SearchEnvironment::FillLatency(const StepRows& rows, Transition& transition) const {
  transition.status = TransitionStatus::kFailed;
  if (!rows.HasNumbers()) return;
  const MedianInterval ratio = rows.Ratio();
  const double reference_ns = problem_.uniform8.latency_ns;
  transition.status = TransitionStatus::kMeasured;
  transition.latency_ns = ratio.median * reference_ns;
  transition.latency_low_ns = ratio.low * reference_ns;
  transition.latency_high_ns = ratio.high * reference_ns;
}

void SearchEnvironment::FillEnergy(const StepRows& rows, Transition& transition) const {
  if (transition.status != TransitionStatus::kMeasured) return;
  if (rows.energy.measured) {
    transition.energy_ratio = rows.energy.measured->value;
    transition.energy_ratio_uncertainty = rows.energy.measured->uncertainty;
  }
  transition.model_energy_ratio = rows.energy.model;
}

TransitionEvent SearchEnvironment::Reject(const Proposal& proposal,
                                          std::int64_t weight_bytes) const {
  TransitionEvent answer;
  answer.step = step_;
  answer.transition.choice = proposal.choice;
  answer.transition.status = TransitionStatus::kRejected;
  answer.transition.weight_bytes = weight_bytes;
  return answer;
}

std::int64_t SearchEnvironment::MiniBatchesAfter(int steps) const {
  // Who is rejected before it is measured does not train.
  const auto trained = std::count_if(
      transitions_.begin(), transitions_.begin() + steps, [](const TransitionEvent& event) {
        return event.transition.status != TransitionStatus::kRejected;
      });
  return trained * config_.train_batches;
}

void SearchEnvironment::KeepNetworks(const std::vector<int>& steps) {
  if (!journal_.recording()) return;
  std::erase_if(kept_steps_, [&](int step) {
    const bool keep = std::find(steps.begin(), steps.end(), step) != steps.end();
    if (!keep) files_.Remove(NetworkFile(step));
    return !keep;
  });
}

Result<Network> SearchEnvironment::TrainReference(const BitAssignment& assignment) {
  Work work;
  work.assignment = assignment;
  BITPILOT_RETURN_IF_ERROR(Train(work));
  return std::move(*work.network);
}

}  // namespace bitpilot

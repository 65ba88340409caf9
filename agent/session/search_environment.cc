#include "agent/session/search_environment.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/study/measurement_rows.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {}  // namespace

SearchEnvironment::SearchEnvironment(const SearchConfig& config, const SearchProblem& problem,
                                     StoredFile uniform8, Journal& journal, const StudyFiles& files,
                                     const SearchResources& resources, std::function<bool()> stop)
    : config_(config),
      problem_(problem),
      uniform8_file_(std::move(uniform8)),
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
    const auto reject = [&] { return Result<TransitionEvent>(Reject(proposal, weight_bytes)); };
    return journal_.Observe<TransitionEvent>(reject,
                                             [&](const TransitionEvent&) { return reject(); });
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
  return journal_.Observe<TransitionEvent>(
      [&] { return Evaluate(proposal, *rows, work); },
      [&](const TransitionEvent& logged) {
        return Result<TransitionEvent>(Conclude(proposal, *rows, work, logged.network_sha256,
                                                logged.transition.loss,
                                                logged.transition.accuracy));
      });
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

Result<const Network*> SearchEnvironment::Uniform8() {
  if (!uniform8_) {
    const Result<std::string> bytes = files_.Get(uniform8_file_);
    if (!bytes.ok()) return bytes.status();
    Result<Network> network = ParseNetwork(*bytes);
    if (!network.ok()) return network.status().WithContext(uniform8_file_.file);
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
    failure_ = "not measured: " + rows->candidate.status + ": " + rows->candidate.detail;
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
    BITPILOT_RETURN_IF_ERROR(CheckExact(*measurement));
    return ToRows(*measurement, work.tier, resources_.board->info(),
                  {{measurement_id, work.assignment}, {uniform8_id, problem_.base}});
  };
  Result<std::vector<MeasurementRow>> rows =
      journal_.ObserveMeasurements({measurement_id, uniform8_id}, measure);
  if (!rows.ok()) return rows.status();
  const EnergyRatios energy = EnergyRatiosOf(rows->front(), rows->back());
  return StepRows{std::move(rows->front()), std::move(rows->back()), energy};
}

Result<TransitionEvent> SearchEnvironment::Evaluate(const Proposal& proposal, const StepRows& rows,
                                                    Work& work) {
  if (work.diverged) return Conclude(proposal, rows, work, /*network_sha256=*/{}, 0.0, 0.0);
  BITPILOT_RETURN_IF_ERROR(Train(work));
  BITPILOT_RETURN_IF_ERROR(Score(work));
  const Result<StoredFile> file =
      files_.Put(StudyFileKind::kNetwork, SerializeNetwork(work.result()));
  if (!file.ok()) return file.status();
  return Conclude(proposal, rows, work, file->sha256, work.evaluation->loss,
                  work.evaluation->accuracy);
}

TransitionEvent SearchEnvironment::Conclude(const Proposal& proposal, const StepRows& rows,
                                            const Work& work, const std::string& network_sha256,
                                            double loss, double accuracy) const {
  TransitionEvent answer;
  answer.step = step_;
  answer.network_sha256 = network_sha256;
  answer.train_loss = work.train_loss;
  Transition& transition = answer.transition;
  transition.choice = proposal.choice;
  transition.weight_bytes = WeightBytes(problem_.topology, work.assignment);
  transition.status = TransitionStatus::kDiverged;
  if (work.diverged) return answer;
  FillLatency(rows, transition);
  FillEnergy(rows, transition);
  transition.loss = loss;
  transition.accuracy = accuracy;
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
  // Who is rejected before it is measured does not train, and training that diverged is undone.
  const auto trained = std::count_if(
      transitions_.begin(), transitions_.begin() + steps, [](const TransitionEvent& event) {
        return event.transition.status != TransitionStatus::kRejected &&
               event.transition.status != TransitionStatus::kDiverged;
      });
  return trained * config_.train_batches;
}

StoredFile SearchEnvironment::NetworkOf(int step) const {
  return NetworkFile(transitions_.at(static_cast<std::size_t>(step)).network_sha256,
                     OlderStepFile(step));
}

void SearchEnvironment::KeepNetworks(const std::vector<int>& steps) {
  if (!journal_.recording()) return;
  std::set<std::string> kept = {uniform8_file_.file};
  for (const int step : steps) kept.insert(NetworkOf(step).file);
  std::erase_if(kept_steps_, [&](int step) {
    const bool keep = std::find(steps.begin(), steps.end(), step) != steps.end();
    // Steps at equal widths may share one file.
    if (!keep && !kept.contains(NetworkOf(step).file)) files_.Remove(NetworkOf(step));
    return !keep;
  });
}

}  // namespace bitpilot

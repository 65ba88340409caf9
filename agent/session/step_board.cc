#include "agent/session/step_board.h"

#include <algorithm>
#include <utility>

#include "agent/study/events.h"
#include "agent/study/measurement_rows.h"
#include "agent/study/step_ids.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

constexpr double kMillisecondsPerSecond = 1e3;

// Device time of the whole request that a row is of.
Result<double> SecondsOf(const MeasurementRow& row) {
  const Result<MeasurementConditions> conditions =
      ParseEvent<MeasurementConditions>(row.conditions);
  if (!conditions.ok()) return conditions.status().WithContext(row.measurement_id);
  return conditions->duration_ms / kMillisecondsPerSecond;
}

}  // namespace

StepBoard::~StepBoard() {
  if (measuring_ && measuring_->started) (void)board_->FinishMeasure();
}

Status StepBoard::Start(int step, const BitAssignment& assignment, const Network& network) {
  BITPILOT_CHECK(!measuring_);
  measuring_ = Measuring{step, assignment, &network, false};
  // Who resumes may find a part of it in the log.
  if (logged_.contains(StepId(step))) return Status();
  const Status started = StartJob({.measurement_id = StepId(step)});
  if (!started.ok()) measuring_.reset();
  return started;
}

Status StepBoard::StartJob(const StepRequest& request) {
  const Result<const Network*> uniform8 = Uniform8();
  if (!uniform8.ok()) return uniform8.status();
  MeasureJob job;
  job.networks = {measuring_->network, *uniform8};
  job.tier = request.tier;
  job.window_doublings = request.window_doublings;
  job.energy = !request.knows_energy && problem_.energy_objective == EnergyObjective::kMeasured;
  BITPILOT_RETURN_IF_ERROR(board_->StartMeasure(job));
  measuring_->started = true;
  return Status();
}

Status StepBoard::Finish() {
  BITPILOT_CHECK(measuring_);
  const auto measured = [&]() -> Status {
    const Result<RepeatBudget> budget = BudgetBefore(measuring_->step);
    if (!budget.ok()) return budget.status();
    const auto measure = [&](const StepRequest& request) { return MeasureOnce(request); };
    return MeasureStep(StepId(measuring_->step), *budget, measure).status();
  };
  const Status status = measured();
  // A measurement that failed may be under way no longer.
  if (measuring_->started) (void)board_->FinishMeasure();
  measuring_.reset();
  return status;
}

Result<StepRows> StepBoard::MeasureOnce(const StepRequest& request) {
  const std::string& measurement_id = request.measurement_id;
  if (logged_.contains(measurement_id)) return RowsOf(measurement_id);
  if (!measuring_->started) BITPILOT_RETURN_IF_ERROR(StartJob(request));
  measuring_->started = false;
  const Result<Measurement> measurement = board_->FinishMeasure();
  if (!measurement.ok()) return measurement.status();
  BITPILOT_RETURN_IF_ERROR(CheckExact(*measurement));
  BITPILOT_RETURN_IF_ERROR(journal_.AppendRows(
      ToRows(*measurement, request.tier, board_->info(),
             {{measurement_id, measuring_->assignment},
              {Uniform8StepId(measurement_id), UniformAssignment(problem_.topology, 8, 8)}})));
  NoteLogged(measurement_id);
  NoteLogged(Uniform8StepId(measurement_id));
  return RowsOf(measurement_id);
}

Result<StepRows> StepBoard::RowsOf(const std::string& measurement_id) const {
  for (const std::string& id : {measurement_id, Uniform8StepId(measurement_id)}) {
    if (!logged_.contains(id)) return DataCorrupt("the log does not hold measurement " + id);
  }
  Result<MeasurementRow> candidate = journal_.LoggedRow(measurement_id);
  if (!candidate.ok()) return candidate.status();
  Result<MeasurementRow> uniform8 = journal_.LoggedRow(Uniform8StepId(measurement_id));
  if (!uniform8.ok()) return uniform8.status();
  const Result<double> seconds = SecondsOf(*candidate);
  if (!seconds.ok()) return seconds.status();
  const EnergyRatios energy = EnergyRatiosOf(*candidate, *uniform8);
  return StepRows{std::move(*candidate), std::move(*uniform8), energy, *seconds};
}

Result<RepeatBudget> StepBoard::BudgetBefore(int step) const {
  while (static_cast<int>(budget_before_.size()) <= step) {
    RepeatBudget budget = budget_before_.back();
    BITPILOT_RETURN_IF_ERROR(Spend(static_cast<int>(budget_before_.size()) - 1, budget));
    budget_before_.push_back(budget);
  }
  return budget_before_[static_cast<std::size_t>(step)];
}

Status StepBoard::Spend(int step, RepeatBudget& budget) const {
  std::vector<std::string> ids = {StepId(step), LongerStepId(StepId(step))};
  for (int number = 1; number < kMaxStepMeasurements; ++number) {
    ids.push_back(RepeatedStepId(StepId(step), number));
  }
  std::erase_if(ids, [&](const std::string& id) { return !logged_.contains(id); });
  const auto answered = seconds_.find(step);
  if (answered != seconds_.end() && std::none_of(ids.begin(), ids.end(), IsRepeatedStep)) {
    budget.TookFirst(answered->second);
    return Status();
  }
  double first_seconds =
      0.0;  // summed up as an answer's are: whoever reads the rows gets the same bits
  for (const std::string& id : ids) {
    const Result<MeasurementRow> row = journal_.LoggedRow(id);
    if (!row.ok()) return row.status();
    const Result<double> seconds = SecondsOf(*row);
    if (!seconds.ok()) return seconds.status();
    if (IsRepeatedStep(id)) {
      budget.TookRepeat(*seconds);
    } else {
      first_seconds += *seconds;
    }
  }
  budget.TookFirst(first_seconds);
  return Status();
}

Result<ClassOutcome> StepBoard::OutcomeOf(int step, const ClassId& on) const {
  ClassOutcome outcome;
  outcome.on = on;
  const auto measured = [&](const StepRequest& request) -> Result<StepRows> {
    Result<StepRows> rows = RowsOf(request.measurement_id);
    if (rows.ok()) outcome.board_seconds += rows->seconds;
    return rows;
  };
  const Result<RepeatBudget> budget = BudgetBefore(step);
  if (!budget.ok()) return budget.status();
  const Result<StepRows> rows = MeasureStep(StepId(step), *budget, measured);
  if (!rows.ok()) return rows.status();
  if (!rows->HasNumbers()) {
    outcome.result = CandidateFailed{rows->candidate.status + ": " + rows->candidate.detail};
    return outcome;
  }
  const MedianInterval ratio = rows->Ratio();
  Measured result;
  result.ratio = ratio.median;
  result.ratio_low = ratio.low;
  result.ratio_high = ratio.high;
  result.is_noisy = rows->IsNoisy();
  if (rows->energy.measured) {
    result.energy_ratio = rows->energy.measured->value;
    result.energy_ratio_uncertainty = rows->energy.measured->uncertainty;
  }
  result.model_energy_ratio = rows->energy.model;
  outcome.result = result;
  return outcome;
}

Result<const Network*> StepBoard::Uniform8() {
  if (!uniform8_) {
    const Result<std::string> bytes = files_.Get(uniform8_file_);
    if (!bytes.ok()) return bytes.status();
    Result<Network> network = ParseNetwork(*bytes);
    if (!network.ok()) return network.status().WithContext(uniform8_file_.file);
    uniform8_ = std::move(*network);
  }
  return &*uniform8_;
}

}  // namespace bitpilot

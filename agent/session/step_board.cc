#include "agent/session/step_board.h"

#include <utility>

#include "agent/study/events.h"
#include "agent/study/measurement_rows.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

constexpr double kMillisecondsPerSecond = 1e3;

std::string Uniform8Of(const std::string& measurement_id) { return measurement_id + "-uniform-8"; }

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
  if (logged_.contains(IdOf(step))) return Status();
  const Status started = StartJob({.measurement_id = IdOf(step)});
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
  const auto measure = [&](const StepRequest& request) { return MeasureOnce(request); };
  const Result<StepRows> rows = MeasureStep(IdOf(measuring_->step), measure);
  // A measurement that failed may be under way no longer.
  if (measuring_->started) (void)board_->FinishMeasure();
  measuring_.reset();
  return rows.status();
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
              {Uniform8Of(measurement_id), UniformAssignment(problem_.topology, 8, 8)}})));
  NoteLogged(measurement_id);
  NoteLogged(Uniform8Of(measurement_id));
  return RowsOf(measurement_id);
}

Result<StepRows> StepBoard::RowsOf(const std::string& measurement_id) const {
  for (const std::string& id : {measurement_id, Uniform8Of(measurement_id)}) {
    if (!logged_.contains(id)) return DataCorrupt("the log does not hold measurement " + id);
  }
  Result<MeasurementRow> candidate = journal_.LoggedRow(measurement_id);
  if (!candidate.ok()) return candidate.status();
  Result<MeasurementRow> uniform8 = journal_.LoggedRow(Uniform8Of(measurement_id));
  if (!uniform8.ok()) return uniform8.status();
  const EnergyRatios energy = EnergyRatiosOf(*candidate, *uniform8);
  return StepRows{std::move(*candidate), std::move(*uniform8), energy};
}

Result<ClassOutcome> StepBoard::OutcomeOf(int step, const ClassId& on) const {
  ClassOutcome outcome;
  outcome.on = on;
  const auto measured = [&](const StepRequest& request) -> Result<StepRows> {
    Result<StepRows> rows = RowsOf(request.measurement_id);
    if (!rows.ok()) return rows;
    const Result<double> seconds = SecondsOf(rows->candidate);
    if (!seconds.ok()) return seconds.status();
    outcome.board_seconds += *seconds;
    return rows;
  };
  const Result<StepRows> rows = MeasureStep(IdOf(step), measured);
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
  result.is_noisy = rows->candidate.status == ToString(MeasureStatus::kNoisy);
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

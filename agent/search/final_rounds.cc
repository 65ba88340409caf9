#include "agent/search/final_rounds.h"

#include <algorithm>
#include <utility>

#include "agent/search/measurement_rows.h"

namespace bitpilot {
namespace {

std::vector<std::string> IdsOf(const FinalRoundsJob& job, int comparison) {
  std::vector<std::string> ids;
  const std::string again = comparison == 1 ? "" : "-again-" + std::to_string(comparison);
  for (std::size_t i = 0; i < job.assignments.size(); ++i) {
    ids.push_back(job.prefix + again + "-" + std::to_string(i));
  }
  return ids;
}

bool KnowsEnergy(const std::vector<MeasurementRow>& rows) {
  return std::all_of(rows.begin(), rows.end(),
                     [](const MeasurementRow& row) { return row.energy.has_value(); });
}

Result<std::vector<MeasurementRow>> Measure(const FinalRoundsJob& job, int comparison,
                                            bool energy) {
  const Result<std::vector<const Network*>> networks = job.networks();
  if (!networks.ok()) return networks.status();
  const Result<Board*> board = job.board();
  if (!board.ok()) return board.status();
  MeasureJob request;
  request.networks = *networks;
  request.tier = Tier::kAudit;
  request.extended = job.long_audit;
  request.energy = energy;
  const Result<Measurement> measurement = (*board)->Measure(request);
  if (!measurement.ok()) return measurement.status();
  const std::vector<std::string> ids = IdsOf(job, comparison);
  std::vector<MeasuredCandidate> candidates;
  for (std::size_t i = 0; i < ids.size(); ++i) candidates.push_back({ids[i], job.assignments[i]});
  return ToRows(*measurement, request.tier, (*board)->info(), candidates);
}

}  // namespace

Result<FinalRounds> MeasureFinalRounds(const FinalRoundsJob& job, Journal& journal,
                                       SearchObserver& observer) {
  FinalRounds rounds;
  RepeatedComparison comparison;
  comparison.energy = job.energy;
  comparison.measure = [&](int number, bool energy) -> Result<ComparisonVerdict> {
    Result<std::vector<MeasurementRow>> rows = journal.ObserveMeasurements(
        IdsOf(job, number), [&] { return Measure(job, number, energy); });
    if (!rows.ok()) return rows.status();
    if (energy || number == 1) rounds.energy_rows = *rows;
    rounds.rows = std::move(*rows);
    const MeasurementRow& first = rounds.rows.front();
    return ComparisonVerdict{first.status == ToString(MeasureStatus::kNoisy), first.detail,
                             KnowsEnergy(rounds.rows)};
  };
  comparison.goes_on = [&](int next, const std::string& notice) {
    if (journal.replaying() && !journal.ReplaysMeasurement(IdsOf(job, next).front())) return false;
    if (journal.recording()) observer.OnNotice(notice);
    return true;
  };
  const Result<int> comparisons = CompareUntilUndisturbed(comparison);
  if (!comparisons.ok()) return comparisons.status();
  rounds.comparisons = *comparisons;
  return rounds;
}

}  // namespace bitpilot

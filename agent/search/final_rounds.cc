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

bool LacksEnergy(const std::vector<MeasurementRow>& rows) {
  return rows.empty() || std::any_of(rows.begin(), rows.end(),
                                     [](const MeasurementRow& row) { return !row.energy; });
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
  for (;; ++rounds.comparisons) {
    const bool energy = job.energy && LacksEnergy(rounds.energy_rows);
    Result<std::vector<MeasurementRow>> rows = journal.ObserveMeasurements(
        IdsOf(job, rounds.comparisons), [&] { return Measure(job, rounds.comparisons, energy); });
    if (!rows.ok()) return rows.status();
    if (energy || rounds.comparisons == 1) rounds.energy_rows = *rows;
    rounds.rows = std::move(*rows);
    if (rounds.rows.front().status != ToString(MeasureStatus::kNoisy)) return rounds;
    if (rounds.comparisons == kMaxComparisons) return rounds;
    const std::string next_id = IdsOf(job, rounds.comparisons + 1).front();
    if (journal.replaying() && !journal.ReplaysMeasurement(next_id)) return rounds;
    if (!journal.recording()) continue;
    observer.OnNotice("the comparison was disturbed (" + rounds.rows.front().detail +
                      "); measuring it again, " + std::to_string(rounds.comparisons + 1) +
                      " of at most " + std::to_string(kMaxComparisons));
  }
}

}  // namespace bitpilot

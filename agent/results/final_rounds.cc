#include "agent/results/final_rounds.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "agent/fleet/measure_parts.h"
#include "agent/study/measurement_rows.h"

namespace bitpilot {
namespace {

// The measurements of one comparison, whose ids a replay finds again.
class Comparison {
 public:
  Comparison(const FinalRoundsJob& job, int number, bool energy, Journal& journal,
             SearchObserver& observer)
      : job_(job), number_(number), energy_(energy), journal_(journal), observer_(observer) {}

  Result<InterleavedRows> Run() {
    while (compared_.rows.size() < job_.assignments.size()) {
      BITPILOT_RETURN_IF_ERROR(TakeBetween());
      BITPILOT_RETURN_IF_ERROR(journal_.recording() ? MeasurePart() : ReplayPart());
    }
    return std::move(compared_);
  }

  std::string FirstId() const { return IdOf(0); }

  Status TakeBetween() const { return job_.take_between ? job_.take_between() : Status(); }

 private:
  std::string Stem() const {
    return job_.prefix + (number_ == 1 ? "" : "-again-" + std::to_string(number_));
  }
  std::string IdOf(std::size_t network) const { return Stem() + "-" + std::to_string(network); }
  // Of uniform 8 bit in a part.
  std::string ReferenceIdOf(std::size_t part) const {
    return part == 0 ? IdOf(0) : Stem() + "-part-" + std::to_string(part + 1) + "-0";
  }
  std::size_t FirstMember() const { return std::max<std::size_t>(compared_.rows.size(), 1); }

  void AddReference(MeasurementRow row) {
    if (compared_.rows.empty()) {
      compared_.rows.push_back(row);
      compared_.parts.push_back(0);
    }
    compared_.uniform8.push_back(std::move(row));
  }
  void AddMember(MeasurementRow row) {
    compared_.rows.push_back(std::move(row));
    compared_.parts.push_back(compared_.uniform8.size() - 1);
  }

  // A part ends where the log goes on with uniform 8 bit of the next one, or ends: parts are stored
  // whole.
  Status ReplayPart() {
    const std::size_t part = compared_.uniform8.size();
    Result<MeasurementRow> reference = ReplayRow(ReferenceIdOf(part));
    if (!reference.ok()) return reference.status();
    AddReference(std::move(*reference));
    while (compared_.rows.size() < job_.assignments.size()) {
      BITPILOT_RETURN_IF_ERROR(TakeBetween());
      if (!journal_.replaying() || journal_.ReplaysMeasurement(ReferenceIdOf(part + 1))) break;
      Result<MeasurementRow> member = ReplayRow(IdOf(compared_.rows.size()));
      if (!member.ok()) return member.status();
      AddMember(std::move(*member));
    }
    return Status();
  }

  Result<MeasurementRow> ReplayRow(const std::string& id) {
    Result<std::vector<MeasurementRow>> rows = journal_.ObserveMeasurements({id}, [] {
      return Result<std::vector<MeasurementRow>>(Status(StatusCode::kInternal, "not recording"));
    });
    if (!rows.ok()) return rows.status();
    return std::move(rows->front());
  }

  // Measures uniform 8 bit and as many of the networks that are left as an equal share of them.
  Status MeasurePart() {
    const Result<std::vector<const Network*>> networks = job_.networks();
    if (!networks.ok()) return networks.status();
    const Result<Board*> board = job_.board();
    if (!board.ok()) return board.status();
    const std::size_t part = compared_.uniform8.size();
    const std::size_t first = FirstMember();
    std::vector<const Network*> left{networks->front()};
    left.insert(left.end(), networks->begin() + static_cast<std::ptrdiff_t>(first),
                networks->end());
    const auto parts = PartsThatFit(left, (*board)->info().limits);
    if (part == 0 && number_ == 1 && parts.size() > 1) TellParts(parts.size(), (*board)->info());
    MeasureJob request;
    request.networks = parts.front();
    request.tier = Tier::kAudit;
    request.extended = job_.long_audit;
    request.energy = energy_;
    std::vector<MeasuredCandidate> candidates{{ReferenceIdOf(part), job_.assignments.front()}};
    std::vector<std::string> ids{ReferenceIdOf(part)};
    for (std::size_t i = first; i + 1 < first + request.networks.size(); ++i) {
      candidates.push_back({IdOf(i), job_.assignments[i]});
      ids.push_back(IdOf(i));
    }
    request.name = journal_.RequestName(ids.front());
    std::string owed;  // the measure id of what is logged now
    Result<std::vector<MeasurementRow>> rows =
        journal_.ObserveMeasurements(ids, [&]() -> Result<std::vector<MeasurementRow>> {
          Result<Measurement> measurement = (*board)->Measure(request);
          if (!measurement.ok()) return measurement.status();
          owed = measurement->measure_id;
          if ((part > 0 || parts.size() > 1) && !measurement->detail.empty()) {
            measurement->detail = "part " + std::to_string(part + 1) + ": " + measurement->detail;
          }
          return ToRows(*measurement, request.tier, (*board)->info(), candidates,
                        {job_.on, (*board)->listed_name()});
        });
    if (!rows.ok()) return rows.status();
    if (!owed.empty()) (*board)->Recorded(owed);
    AddReference(std::move(rows->front()));
    for (std::size_t i = 1; i < rows->size(); ++i) AddMember(std::move((*rows)[i]));
    return Status();
  }

  void TellParts(std::size_t num_parts, const BoardInfo& board) {
    observer_.OnNotice("board \"" + board.name + "\" does not take all " +
                       std::to_string(job_.assignments.size()) +
                       " networks of the comparison at a time: they are measured in " +
                       std::to_string(num_parts) +
                       " parts, each interleaved with uniform 8 bit; candidates of different parts "
                       "are not compared with each other (bitpilotd serve --store-mib and "
                       "--worker-memory give it more room)");
  }

  const FinalRoundsJob& job_;
  const int number_;
  const bool energy_;
  Journal& journal_;
  SearchObserver& observer_;
  InterleavedRows compared_;
};

bool KnowsEnergy(const InterleavedRows& compared) {
  const auto has_energy = [](const MeasurementRow& row) { return row.energy.has_value(); };
  return std::all_of(compared.rows.begin(), compared.rows.end(), has_energy) &&
         std::all_of(compared.uniform8.begin(), compared.uniform8.end(), has_energy);
}

}  // namespace

Result<FinalRounds> MeasureFinalRounds(const FinalRoundsJob& job, Journal& journal,
                                       SearchObserver& observer) {
  FinalRounds rounds;
  RepeatedComparison comparison;
  comparison.energy = job.energy;
  comparison.measure = [&](int number, bool energy) -> Result<ComparisonVerdict> {
    Result<InterleavedRows> compared = Comparison(job, number, energy, journal, observer).Run();
    if (!compared.ok()) return compared.status();
    if (energy || number == 1) rounds.energy = *compared;
    rounds.latency = std::move(*compared);
    const MeasurementRow& verdict = rounds.latency.Verdict();
    return ComparisonVerdict{verdict.status == ToString(MeasureStatus::kNoisy), verdict.detail,
                             KnowsEnergy(rounds.latency)};
  };
  Status between;
  comparison.goes_on = [&](int next, const std::string& notice) {
    const Comparison again(job, next, false, journal, observer);
    between = again.TakeBetween();
    if (!between.ok()) return false;
    if (journal.replaying() && !journal.ReplaysMeasurement(again.FirstId())) return false;
    if (journal.recording()) observer.OnNotice(notice);
    return true;
  };
  const Result<int> comparisons = CompareUntilUndisturbed(comparison);
  if (!comparisons.ok()) return comparisons.status();
  BITPILOT_RETURN_IF_ERROR(between);
  rounds.comparisons = *comparisons;
  return rounds;
}

}  // namespace bitpilot

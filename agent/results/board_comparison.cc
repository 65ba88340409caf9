#include "agent/results/board_comparison.h"

#include <algorithm>
#include <utility>

namespace bitpilot {
namespace {

bool KnowsEnergy(const Measurement& measurement) {
  return std::all_of(measurement.networks.begin(), measurement.networks.end(),
                     [](const NetworkMeasurement& network) { return network.energy.has_value(); });
}

}  // namespace

Result<BoardComparison> CompareOnBoard(Board& board, const MeasureJob& job,
                                       const std::function<void(const std::string&)>& notice,
                                       int max_comparisons) {
  BoardComparison result;
  RepeatedComparison repeated;
  repeated.energy = job.energy;
  repeated.measure = [&](int number, bool energy) -> Result<ComparisonVerdict> {
    MeasureJob request = job;
    request.energy = energy;
    Result<Measurement> measured = board.Measure(request);
    if (!measured.ok()) return measured.status();
    if (!HasNumbers(measured->status)) {
      return Status(StatusCode::kUnavailable, board.info().name + ": " +
                                                  std::string(ToString(measured->status)) + " " +
                                                  measured->detail);
    }
    if (energy || number == 1) result.with_energy = *measured;
    result.measurement = std::move(*measured);
    return ComparisonVerdict{result.measurement.status == MeasureStatus::kNoisy,
                             result.measurement.detail, KnowsEnergy(result.measurement)};
  };
  repeated.goes_on = [&](int next, const std::string& text) {
    if (next > max_comparisons) return false;
    result.disturbances.push_back(result.measurement.detail);
    notice(text);
    return true;
  };
  const Result<int> comparisons = CompareUntilUndisturbed(repeated);
  if (!comparisons.ok()) return comparisons.status();
  return result;
}

}  // namespace bitpilot

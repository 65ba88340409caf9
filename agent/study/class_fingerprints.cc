#include "agent/study/class_fingerprints.h"

#include <algorithm>

#include "agent/fleet/board_conditions.h"
#include "agent/fleet/class_name.h"
#include "agent/study/events.h"
#include "agent/study/measurement_rows.h"
#include "kernels/base/joined.h"

namespace bitpilot {

Result<std::map<ClassId, std::vector<std::string>>> ClassFingerprintsOf(
    const std::vector<MeasurementRow>& rows, const std::vector<BoardInfo>& boards) {
  std::map<ClassId, std::vector<std::string>> fingerprints;
  for (const MeasurementRow& row : rows) {
    const Result<MeasurementConditions> conditions =
        ParseEvent<MeasurementConditions>(row.conditions);
    if (!conditions.ok()) return conditions.status().WithContext(row.measurement_id);
    if (!row.latency_median_ns || conditions->fingerprint.empty()) continue;
    if (IsOfAnotherBoard(row, boards)) continue;
    Result<BoardInfo> board = ParseEvent<BoardInfo>(row.board);
    if (!board.ok()) return board.status().WithContext(row.measurement_id);
    board->name.clear();
    const std::string one = FingerprintOf(*board, conditions->board);
    std::vector<std::string>& known =
        fingerprints[conditions->on.empty() ? kOnlyClass : conditions->on];
    if (std::find(known.begin(), known.end(), one) == known.end()) known.push_back(one);
  }
  return fingerprints;
}

std::string DescribeSeveralFingerprints(
    const std::map<ClassId, std::vector<std::string>>& fingerprints) {
  std::vector<std::string> several;
  for (const auto& [on, each] : fingerprints) {
    if (each.size() < 2) continue;
    several.push_back((on == kOnlyClass ? "this search" : ClassLabel(on)) + " has " +
                      std::to_string(each.size()) + " (" + Joined(each) + ")");
  }
  return Joined(several);
}

}  // namespace bitpilot

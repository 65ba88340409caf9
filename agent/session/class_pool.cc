#include "agent/session/class_pool.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/fleet/board_conditions.h"

namespace bitpilot {
namespace {

// Of "calibration-class-2-11": 11. Names sort as text, measurements by number.
int NumberOf(const std::string& calibration_id) {
  int number = 0;
  const std::size_t dash = calibration_id.rfind('-') + 1;
  std::from_chars(calibration_id.data() + dash, calibration_id.data() + calibration_id.size(),
                  number);
  return number;
}

bool Contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

bool ContainsAll(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::all_of(some.begin(), some.end(),
                     [&](const std::string& one) { return Contains(all, one); });
}

}  // namespace

bool ClassPool::IsOwn(const std::string& calibration_id) const {
  const int number = NumberOf(calibration_id);
  return number > 0 && calibration_id == CalibrationId(class_number_, number);
}

Result<const CalibrationReading*> ClassPool::ReadingOf(const std::string& calibration_id) {
  const auto known = readings_.find(calibration_id);
  if (known != readings_.end()) return &known->second;
  const auto rows = rows_.find(calibration_id);
  if (rows == rows_.end()) {
    return DataCorrupt("the log does not hold measurement " + calibration_id);
  }
  if (rows->second != num_networks()) {
    return DataCorrupt("measurement " + calibration_id + " is of " + std::to_string(rows->second) +
                       " networks, others of class " + on_ + " are of " +
                       std::to_string(num_networks()));
  }
  Result<CalibrationReading> reading = ReadCalibration(calibration_id, rows->second, row_of_);
  if (!reading.ok()) return reading.status();
  return &readings_.emplace(calibration_id, std::move(*reading)).first->second;
}

Result<std::vector<std::string>> ClassPool::MeasurementsOf(const std::string& board,
                                                           const BoardInfo& info) {
  std::vector<std::string> measurements;
  const std::string fingerprint = FingerprintOf(info);
  std::vector<std::string> all;
  for (const auto& [id, rows] : rows_) all.push_back(id);
  std::sort(all.begin(), all.end(),
            [](const std::string& a, const std::string& b) { return NumberOf(a) < NumberOf(b); });
  for (const std::string& id : all) {
    const Result<const CalibrationReading*> reading = ReadingOf(id);
    if (!reading.ok()) return reading.status();
    if ((*reading)->board != board) continue;
    // One of another machine ends what counts.
    if (FingerprintOf((*reading)->info) == fingerprint) {
      measurements.push_back(id);
    } else {
      measurements.clear();
    }
  }
  return measurements;
}

Result<BoardShapes> ClassPool::ShapesOf(const Asked& asked, std::string* failure) {
  if (asked.measurements.empty()) {
    return DataCorrupt("board " + asked.board + " was judged without measurements");
  }
  BoardShapes shapes;
  shapes.board = asked.board;
  for (const std::string& id : asked.measurements) {
    const Result<const CalibrationReading*> reading = ReadingOf(id);
    if (!reading.ok()) return reading.status();
    if ((*reading)->shape) {
      shapes.measured.push_back(*(*reading)->shape);
    } else if (failure != nullptr) {
      *failure = (*reading)->failure;
    }
  }
  return shapes;
}

Result<std::optional<BoardShapes>> ClassPool::Standing(const std::vector<Asked>& boards,
                                                       Asked* asked) {
  *asked = standing_;
  if (standing_.measurements.empty()) return std::optional<BoardShapes>();
  for (const Asked& each : boards) {
    if (each.board != standing_.board) continue;
    // The reference itself, measured again; or another machine of its name, which is compared with it.
    if (ContainsAll(each.measurements, standing_.measurements)) {
      *asked = each;
    } else {
      asked->board += " before";
    }
  }
  Result<BoardShapes> shapes = ShapesOf(*asked, nullptr);
  if (!shapes.ok()) return shapes.status();
  return std::optional(std::move(*shapes));
}

Result<CalibrationEvent> ClassPool::Judge(const std::vector<Asked>& boards) {
  if (boards.empty()) return DataCorrupt("a calibration of class " + on_ + " judges no board");
  CalibrationEvent event;
  event.on = on_;
  event.networks = num_networks();
  std::vector<BoardShapes> shapes;
  for (const Asked& asked : boards) {
    CalibratedBoard& board = event.boards.emplace_back();
    board.board = asked.board;
    board.measurements = asked.measurements;
    std::string failure;
    Result<BoardShapes> own = ShapesOf(asked, &failure);
    if (!own.ok()) return own.status();
    for (const std::string& id : asked.measurements) {
      const CalibrationReading& reading = readings_.at(id);
      if (reading.board != asked.board) {
        return DataCorrupt("measurement " + id + " is of board " + reading.board + ", not of " +
                           asked.board);
      }
      if (!counted_.contains(id)) event.board_seconds += reading.board_seconds;
    }
    if (own->measured.empty()) board.failure = failure;
    shapes.push_back(std::move(*own));
  }
  Asked reference;
  const Result<std::optional<BoardShapes>> standing = Standing(boards, &reference);
  if (!standing.ok()) return standing.status();
  const ClassVerdict verdict = JudgeBoards(shapes, *standing);
  event.reference = verdict.reference;
  event.is_last_resort = verdict.is_last_resort;
  if (verdict.reference == reference.board) {
    event.reference_measurements = reference.measurements;
  }
  for (std::size_t i = 0; i < boards.size(); ++i) {
    event.boards[i].is_pooled = verdict.boards[i].is_pooled;
    event.boards[i].agreement = verdict.boards[i].agreement;
    const bool is_reference =
        event.reference_measurements.empty() && boards[i].board == verdict.reference;
    if (is_reference) event.reference_measurements = boards[i].measurements;
  }
  return event;
}

Result<std::vector<std::size_t>> ClassPool::ToRepeat(const std::vector<Asked>& boards) {
  std::vector<BoardShapes> shapes;
  for (const Asked& asked : boards) {
    Result<BoardShapes> own = ShapesOf(asked, nullptr);
    if (!own.ok()) return own.status();
    shapes.push_back(std::move(*own));
  }
  Asked reference;
  const Result<std::optional<BoardShapes>> standing = Standing(boards, &reference);
  if (!standing.ok()) return standing.status();
  return BoardsToRepeat(shapes, *standing);
}

void ClassPool::Take(const CalibrationEvent& event) {
  CalibrationEvent by = event;
  by.boards.clear();
  for (const CalibratedBoard& board : event.boards) {
    verdicts_[board.board] = {board, by};
    counted_.insert(board.measurements.begin(), board.measurements.end());
  }
  // Who goes on for want of another one does not become what others are compared with.
  if (!event.is_last_resort) standing_ = {event.reference, event.reference_measurements};
  last_ = event;
}

const ClassPool::Verdict* ClassPool::VerdictOf(const std::string& board,
                                               const std::vector<std::string>& measurements) const {
  const auto known = verdicts_.find(board);
  if (known == verdicts_.end()) return nullptr;
  return ContainsAll(measurements, known->second.board.measurements) ? &known->second : nullptr;
}

}  // namespace bitpilot

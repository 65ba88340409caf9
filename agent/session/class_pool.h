// ClassPool: which boards of one class measure for it, as the study's log says: what each measured of the
// reference networks, and how they were judged. The same in a search, in its resume and in a replay.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/study/board_agreement.h"
#include "agent/study/calibration_event.h"
#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

class ClassPool {
 public:
  using RowOf = std::function<Result<MeasurementRow>(const std::string& row_id)>;

  // class_number: of the search's classes, from 1. row_of: a row that the study holds.
  ClassPool(ClassId on, int class_number, RowOf row_of)
      : on_(std::move(on)), class_number_(class_number), row_of_(std::move(row_of)) {}

  const ClassId& on() const { return on_; }

  // The name of the next measurement of the reference networks.
  std::string NextId() const { return CalibrationId(class_number_, NumMeasurements() + 1); }
  bool IsOwn(const std::string& calibration_id) const;

  // The log holds one of the measurement's rows.
  void NoteRow(const std::string& calibration_id) { ++rows_[calibration_id]; }

  // How many networks boards of this class measure; 0: none has measured yet.
  int num_networks() const { return rows_.empty() ? 0 : rows_.begin()->second; }

  // A board, and those of its measurements that count.
  struct Asked {
    std::string board;
    std::vector<std::string> measurements;
  };

  // The measurements of a board that is like this now, the latest ones, in their order; of another
  // machine that was called so before none.
  //
  // Errors: those of ReadCalibration().
  Result<std::vector<std::string>> MeasurementsOf(const std::string& board, const BoardInfo& info);

  // Which of these boards measure, a pure function of the log.
  //
  // Errors: kDataCorrupt where measurements are not there, or not of these boards.
  Result<CalibrationEvent> Judge(const std::vector<Asked>& boards);

  // Which of them, by index, are to be measured again before. Errors: the same.
  Result<std::vector<std::size_t>> ToRepeat(const std::vector<Asked>& boards);

  // An event of this class is in the log.
  void Take(const CalibrationEvent& event);

  // The last one; nothing before the first.
  const std::optional<CalibrationEvent>& last() const { return last_; }

  // What is known of a board.
  struct Verdict {
    CalibratedBoard board;
    CalibrationEvent by;  // of its event, without the other boards
  };
  // By measurements that are among `measurements`: else it is to be judged anew.
  const Verdict* VerdictOf(const std::string& board,
                           const std::vector<std::string>& measurements) const;

 private:
  int NumMeasurements() const { return static_cast<int>(rows_.size()); }
  Result<const CalibrationReading*> ReadingOf(const std::string& calibration_id);
  Result<BoardShapes> ShapesOf(const Asked& asked, std::string* failure);
  // What these boards are compared with, if the class has a reference.
  Result<std::optional<BoardShapes>> Standing(const std::vector<Asked>& boards, Asked* asked);

  const ClassId on_;
  const int class_number_;
  const RowOf row_of_;
  std::map<std::string, int> rows_;  // by CalibrationId(): how many networks it measured
  std::map<std::string, CalibrationReading> readings_;
  Asked standing_;                 // the reference; empty: none yet
  std::set<std::string> counted_;  // measurements whose time events have told
  std::map<std::string, Verdict> verdicts_;
  std::optional<CalibrationEvent> last_;
};

}  // namespace bitpilot

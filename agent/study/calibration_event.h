// The event by which a study says which boards of a class measure for it, and why.
//
// Its kind stands after the boards' events, before anything else is measured, once for each class of two
// boards or more; and again, between observations, whenever a board of the class came, came back as another
// one, or was the only one left. The rows of the measurements that it names stand before it. Studies of an
// older bitpilot have none: their boards were pooled as they came.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/study/board_agreement.h"
#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

// One board that was judged.
struct CalibratedBoard {
  std::string board;                      // its name in the fleet
  std::vector<std::string> measurements;  // CalibrationId() of those that count
  bool is_pooled = false;
  std::optional<BoardAgreement> agreement = {};  // null: it could not measure the networks
  std::string failure = {};                      // then what it said: "UNSUPPORTED: ..."

  friend bool operator==(const CalibratedBoard&, const CalibratedBoard&) = default;
};

struct CalibrationEvent {
  static constexpr std::string_view kKind = "calibration";
  ClassId on;
  int networks = 0;  // that each board measured, interleaved
  // The board that they were compared with, and the measurements of it that counted: it may be away.
  std::string reference;
  std::vector<std::string> reference_measurements;
  bool is_last_resort = false;  // ClassVerdict's
  std::vector<CalibratedBoard> boards;
  // Device time of these measurements, those of earlier events of the class left out. Beside all budgets.
  double board_seconds = 0.0;

  friend bool operator==(const CalibrationEvent&, const CalibrationEvent&) = default;
};

template <>
std::string ToJson(const CalibrationEvent& event);
template <>
Result<CalibrationEvent> ParseEvent(std::string_view payload);

// What the measurement of a class's reference networks is called: "calibration-3", on the second of
// several classes "calibration-class-2-3".
//
// class_number, number: from 1; of the search's classes, and of the class's measurements.
std::string CalibrationId(int class_number, int number);

// The row of one of its networks, from 0.
std::string CalibrationRowId(const std::string& calibration_id, int network);

// True of such a row.
bool IsCalibration(std::string_view measurement_id);

// The calibration_id of such a row. REQUIRES: IsCalibration().
std::string CalibrationIdOf(std::string_view measurement_id);

// What one measurement of the networks says: its rows, or that it has no numbers.
struct CalibrationReading {
  std::optional<NetworkShape> shape;
  std::string failure;         // of a measurement without numbers
  std::string board;           // its name in the fleet
  BoardInfo info;              // what the board was like
  double board_seconds = 0.0;  // of the whole measurement
};

// Reads one from the rows that the study holds.
//
// row_of: a stored row by its id. networks: that it measured.
//
// Errors: those of row_of; kDataCorrupt for rows that do not belong together.
Result<CalibrationReading> ReadCalibration(
    const std::string& calibration_id, int networks,
    const std::function<Result<MeasurementRow>(const std::string& row_id)>& row_of);

// One line for people: that the board is pooled, and how it compares; or why it is left out, with what was
// expected, what came and what to do.
//
// REQUIRES: `board` is one of event.boards.
std::string DescribeCalibration(const CalibrationEvent& event, const CalibratedBoard& board);

}  // namespace bitpilot

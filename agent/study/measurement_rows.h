// From a board's answer to the rows that the study keeps.
#pragma once

#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Whose measurement a row is.
struct MeasuredCandidate {
  std::string measurement_id;
  BitAssignment assignment;
};

// Which board measured, and for which class.
struct MeasuredOn {
  ClassId on = kOnlyClass;
  std::string board_name;  // in the fleet
};

// One row a network, in the job's order. Rows of a measurement without numbers hold none.
std::vector<MeasurementRow> ToRows(const Measurement& measurement, Tier tier,
                                   const BoardInfo& board,
                                   const std::vector<MeasuredCandidate>& candidates,
                                   const MeasuredOn& measured_on);

// The event that registers a row. What its conditions do not say is left out.
MeasurementEvent MeasurementEventOf(const MeasurementRow& row);

// Checks that a stored row's latency and interval are those of its windows. A model's figures come
// from its table instead.
//
// Errors: kDataCorrupt says what is stored and what the windows give.
Status CheckFigures(const MeasurementRow& row);

std::string_view ToString(Tier tier);

// True if the row was measured with another instruction set or backend than any of `boards`, one a class
// of the search, has: the comparison on the whole machine, which is no measurement of the search's.
bool IsOfAnotherBoard(const MeasurementRow& row, const std::vector<BoardInfo>& boards);

}  // namespace bitpilot

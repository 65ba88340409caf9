// Under which class fingerprints (agent/fleet/board_conditions.h) the latencies of a study were measured.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"
#include "policies/environment.h"

namespace bitpilot {

// Of each class, each once, in the order of the log. Boards of a class are several and have names; more
// than one of a class says that something else about them differed, or changed. Rows without a latency or a
// fingerprint count not, nor do those of IsOfAnotherBoard() (agent/study/measurement_rows.h).
//
// boards: one a class of the search. Errors: kDataCorrupt names the measurement that cannot be read.
Result<std::map<ClassId, std::vector<std::string>>> ClassFingerprintsOf(
    const std::vector<MeasurementRow>& rows, const std::vector<BoardInfo>& boards);

// "class 'a' has 2 (x, y)" of each that has several; empty if none has.
std::string DescribeSeveralFingerprints(
    const std::map<ClassId, std::vector<std::string>>& fingerprints);

}  // namespace bitpilot

// The context of a measurement in the JSON that commands print: under what it was taken, and
// whether an earlier result may be compared with it.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Adds "measure_status", "measure_detail" (why it is NOISY), "fingerprint", "board" and
// "conditions" (null where the board's system does not tell).
void AddContext(const BoardInfo& board, const Measurement& measurement, nlohmann::json& line);

// The result line with a context that an earlier `bitpilot evaluate --device D --json` printed.
//
// Errors: kInvalidArgument or a file error if the file is none.
Result<nlohmann::json> ReadEarlierEvaluation(const std::string& file);

// Adds "compared_with" to `line`, which has a context: {"file", "fingerprint", "same_fingerprint",
// "changes", "latency_median_ns", "latency_ratio_int8"}. The last two are the earlier figures;
// `changes` says in words what differs. Two runs never support "faster": whoever prints this says
// so.
//
// Errors: kInvalidArgument if one of the two has no board that can be read.
//
// earlier: ReadEarlierEvaluation(file).
Status CompareWithEarlier(const std::string& file, const nlohmann::json& earlier,
                          nlohmann::json& line);

}  // namespace bitpilot

// What `bitpilot evaluate` says of a network on a board: as JSON, and all of it for people.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/fleet/board.h"
#include "agent/results/board_comparison.h"

namespace bitpilot {

// Adds to `line` what the board measured of the first network beside the last one, uniform 8 bit:
// latency with its interval, ratio, verdict, context and energy. How often it was measured is
// "comparisons", and "disturbances" says why, one text for each comparison before the last.
//
// device: as the user named it.
void AddBoardComparison(const std::string& device, const BoardInfo& board,
                        const BoardComparison& comparison, nlohmann::json& line);

// Accuracy and size of the result line for people, on standard output.
void PrintAccuracy(const nlohmann::json& line);

// The result line for people, on standard output.
void PrintEvaluation(const nlohmann::json& line);

}  // namespace bitpilot

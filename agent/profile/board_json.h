// What a table says about the board that it was measured on.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "agent/fleet/board.h"

namespace bitpilot {

nlohmann::json BoardToJson(const BoardInfo& board);

// Throws nlohmann::json::exception for a missing key or another type.
BoardInfo BoardFromJson(const nlohmann::json& json);

}  // namespace bitpilot

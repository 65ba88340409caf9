// The part of `bitpilotd check` that tells of energy sources and of the board's state.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "device_daemon/energy/board_state.h"
#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// An array with one object a source: {"name", "usable", "tier", "scope", "period_ms",
// "min_window_s"} of a usable one, {"name", "usable", "status", "reason"} of another. Empty: this
// board measures no energy.
nlohmann::ordered_json EnergySourcesJson(const std::vector<FoundEnergySource>& sources);

// {"governors", "zones": {type: celsius}, "throttle": [what is limited now] or null, "concerns"}.
nlohmann::ordered_json BoardStateJson(const BoardState& state);

// Both for people, a line each.
std::vector<std::string> EnergySourcesText(const std::vector<FoundEnergySource>& sources);
std::vector<std::string> BoardStateText(const BoardState& state);

}  // namespace bitpilot

// The part of `bitpilotd check` that tells of energy sources and of the board's state.
#pragma once

#include <filesystem>
#include <functional>
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

// A board's state, with its zones as they were followed for a while.
struct LookedAtBoard {
  BoardState state;
  ZoneWatch zones;
};

// Reads the state below `root`; again, a second apart, while a zone is too hot to be believed.
// sleep_one_second: lets it pass.
LookedAtBoard LookAtBoard(const std::filesystem::path& root,
                          const std::function<void()>& sleep_one_second);

// {"governors", "zones": {name: celsius}, "ignored_zones": {name: the reason}, "throttle": [what is
// limited now] or null, "concerns"}. cpu: the number of the one that measures.
nlohmann::ordered_json BoardStateJson(const LookedAtBoard& board, int cpu);

// Both for people, a line each.
std::vector<std::string> EnergySourcesText(const std::vector<FoundEnergySource>& sources);
std::vector<std::string> BoardStateText(const LookedAtBoard& board, int cpu);

}  // namespace bitpilot

// What a board's report says of its place in a class.
#pragma once

#include <algorithm>
#include <string>

#include "agent/fleet/fleet_core.h"

namespace bitpilot::fleet {

// Works, or was given back while there was nothing to do.
inline bool IsOnHand(BoardState state) {
  return state == BoardState::kReady || state == BoardState::kBusy ||
         state == BoardState::kResting || state == BoardState::kGivenBack;
}
inline bool IsOnHand(const BoardReport& report) { return IsOnHand(report.state); }

// Is there, and takes jobs or has one.
inline bool Works(const BoardReport& report) {
  return IsOnHand(report) && report.state != BoardState::kGivenBack;
}

inline bool IsOf(const BoardReport& report, const std::string& on) {
  return std::find(report.classes.begin(), report.classes.end(), on) != report.classes.end();
}

// Is listed for the class and to be judged before it measures for it.
inline bool WaitsFor(const BoardReport& report, const std::string& on) {
  return std::find(report.waits_for.begin(), report.waits_for.end(), on) != report.waits_for.end();
}

}  // namespace bitpilot::fleet

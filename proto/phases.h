// Phases of MeasureProgress that mean something to whoever receives them; other phases are for
// people.
#pragma once

namespace bitpilot {

// The job waits for its turn: daemons of one machine measure one after the other
// (device_daemon/server/machine_turn.h). Such a wait, an hour at most, does not count
// against the job's limits.
inline constexpr char kTurnPhase[] = "another daemon of this machine measures";

}  // namespace bitpilot

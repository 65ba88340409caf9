// Phases of MeasureProgress that mean something to whoever receives them; other phases are for
// people.
#pragma once

#include <cstdint>

namespace bitpilot {

// The job waits for its turn: daemons of one machine measure one after the other
// (device_daemon/server/machine_turn.h). Such a wait, an hour at most, does not count
// against the job's limits.
inline constexpr char kTurnPhase[] = "another daemon of this machine measures";

// The measurement waits behind jobs of other agents, or for the end of another's reservation, which
// may take any time; the next sign of life comes within kQueueSilenceMs.
inline constexpr char kQueuePhase[] = "waits in the board's queue";
inline constexpr std::uint64_t kQueueSilenceMs = 180'000;

}  // namespace bitpilot

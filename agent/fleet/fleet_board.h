// How this agent introduces itself to a board, and how long it waits there.
#pragma once

#include <string>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_driver.h"

namespace bitpilot {

// A board of no class, wherever it is: `locate` and `address` are the caller's to fill in.
//
// name, endpoint: for messages.
FleetBoard FleetBoardNamed(const std::string& name, const std::string& endpoint,
                           const AgentKeys& keys, const BoardOptions& options);

// A board of a fleet file, as FleetDriver::AddBoard() takes it.
//
// options: its waits count; those for a board that connects are longer by kConnectingPatience.
FleetBoard FleetBoardAt(const BoardAddress& address, const AgentKeys& keys,
                        const BoardOptions& options);

}  // namespace bitpilot

// OpenBoard: the Board that ConnectBoard and StartLocalBoard share: a fleet of one. And what makes a
// board of a fleet file one of a FleetDriver.
#pragma once

#include <memory>
#include <string>

#include "agent/fleet/board.h"
#include "agent/fleet/board_locator.h"
#include "agent/fleet/fleet_driver.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Connects to wherever `locate` says, now and after every loss, and waits for the lease. `locate`
// lives as long as the board.
//
// name, endpoint: for messages.
//
// Errors: as ConnectBoard, and what `locate` returns.
Result<std::unique_ptr<Board>> OpenBoard(const std::string& name, const std::string& endpoint,
                                         const AgentKeys& keys, BoardLocator::Locate locate,
                                         const BoardOptions& options);

}  // namespace bitpilot

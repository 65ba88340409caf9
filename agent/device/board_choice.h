// The board that a command's flags --device, --fleet, --board, --fast and --cpu name.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct BoardChoice {
  std::string device = "local";          // "local[:ISA]" or "model:TABLE"; not read with a fleet
  std::string fleet;                     // a fleet file, or empty
  std::string board;                     // its board; empty: the only one
  bool fast = false;                     // of "model:TABLE": answers at once
  std::string cpu = {};                  // of "local": which CPU measures (BoardOptions::cpu)
  std::optional<LeaseTerms> lease = {};  // of a fleet's board, if something is asked for
};

// That what --lease and --priority ask for can be had: nobody else uses a local board.
//
// Errors: kInvalidArgument without a fleet file.
Status CheckLeaseIsOfAFleet(const std::string& fleet);

// Finds what is wrong with the choice before anything is loaded or started. Returns the table of a
// model board. A fleet file or table that can be read only once, a pipe say, is left to
// OpenChosenBoard(): of such a model there is no table.
//
// Errors: OpenChosenBoard()'s, but for those of looking up the host and connecting.
Result<std::optional<CostTable>> CheckBoardChoice(const BoardChoice& choice);

// Connects to it, or starts it. The choice's lease goes before that of `options`: who asks for one waits
// for the board as long as other agents have it.
//
// Errors:
//   kInvalidArgument  the fleet lists several boards and none is named, or no such board (the
//                     message lists those that it does); `fast` or `cpu` with a fleet, or a board
//                     or a lease without one.
//   Also ReadFleetFile()'s, ReadAgentKeys()'s, CheckHost()'s, ConnectBoard()'s and
//   StartLocalBoard()'s.
Result<std::unique_ptr<Board>> OpenChosenBoard(const BoardChoice& choice,
                                               const BoardOptions& options);

}  // namespace bitpilot

// What the commands below `bitpilot fleet` share: the fleet file, and which of its boards are meant.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_file.h"
#include "agent/fleet/fleet_watch.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct FleetFlags {
  std::string file = "fleet.toml";
  bool json = false;
};

// Registers --fleet and --json.
void AddFleetFlags(CLI::App& command, FleetFlags& flags);

// Registers --timeout: how long to wait for boards that do not answer.
void AddTimeoutFlag(CLI::App& command, std::optional<double>& seconds);
std::chrono::milliseconds Milliseconds(double seconds);
// As long as --timeout says, for every board; by default as long as each kind of boards needs.
FleetWatch::Patience PatienceOf(const std::optional<double>& timeout_s);

// The boards with these names, in the file's order; all if there are no names.
//
// Errors: kInvalidArgument names what the file does not list, behind `flag`.
Result<std::vector<BoardAddress>> ChooseBoards(const Fleet& fleet, const std::string& file,
                                               const std::vector<std::string>& names,
                                               const std::string& flag);

// Whom to ask, and as whom.
struct ChosenFleet {
  std::vector<BoardAddress> boards;
  AgentKeys keys;
};

// Errors: ReadFleetFile()'s, ChooseBoards()'s and ReadAgentKeys()'s.
Result<ChosenFleet> ReadChosenFleet(const FleetFlags& flags, const std::vector<std::string>& names,
                                    const std::string& flag);

}  // namespace bitpilot

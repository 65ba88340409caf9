// bitpilot fleet add | check: how boards get into a fleet file, and whether they trust this agent.
#pragma once

#include <CLI/CLI.hpp>

namespace bitpilot {

// Registers both below `fleet`. Each sets `exit_code`.
void AddFleetBoardCommands(CLI::App& fleet, int& exit_code);

}  // namespace bitpilot

// bitpilot fleet add | list | check: the boards of a fleet file.
#pragma once

#include <CLI/CLI.hpp>

namespace bitpilot {

// Registers the three below `fleet`. Each sets `exit_code`.
void AddFleetBoardCommands(CLI::App& fleet, int& exit_code);

}  // namespace bitpilot

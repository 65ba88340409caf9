// bitpilot fleet list | top: what the boards of a fleet file do now.
#pragma once

#include <CLI/CLI.hpp>

namespace bitpilot {

// Registers both below `fleet`. Each sets `exit_code`.
void AddFleetStateCommands(CLI::App& fleet, int& exit_code);

}  // namespace bitpilot

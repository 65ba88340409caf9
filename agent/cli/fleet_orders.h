// bitpilot fleet drain | undrain | quarantine | release: orders to boards, which hold for every agent.
#pragma once

#include <CLI/CLI.hpp>

namespace bitpilot {

// Registers the four below `fleet`. Each sets `exit_code`.
void AddFleetOrderCommands(CLI::App& fleet, int& exit_code);

}  // namespace bitpilot

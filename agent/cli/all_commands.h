// Every command of the program.
#pragma once

#include "agent/cli/command.h"

namespace bitpilot {

// Registers all of them, in the order that help prints.
void AddAllCommands(CLI::App& app, int& exit_code);

}  // namespace bitpilot

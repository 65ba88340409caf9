// A program made of commands: parses arguments, runs one command, turns failures into exit codes.
#pragma once

#include "agent/cli/command.h"

namespace bitpilot {

// Returns the program's exit code. add_commands: registers the commands that there are.
int RunProgram(int argc, char** argv, void (*add_commands)(CLI::App& app, int& exit_code));

}  // namespace bitpilot

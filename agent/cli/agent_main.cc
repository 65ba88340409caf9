// bitpilot-agent: all commands of bitpilot, in one program. Users start it as `bitpilot`
// (agent/cli/main.cc).
#include "agent/cli/all_commands.h"
#include "agent/cli/program.h"

int main(int argc, char** argv) {
  return bitpilot::RunProgram(argc, argv, bitpilot::AddAllCommands);
}

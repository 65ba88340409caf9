#include "agent/session/agent_build.h"

#include <string_view>

#include "agent/session/generated_build_id.h"

namespace bitpilot {

std::string AgentBuild() {
  return "bitpilot " BITPILOT_VERSION " " +
         std::string(std::string_view(kAgentBuildId).substr(0, 12));
}

}  // namespace bitpilot

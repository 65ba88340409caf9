// Which bitpilot this is, as studies name it.
#pragma once

#include <string>

namespace bitpilot {

// Version, and a hash over compiler, flags and the sources of agent/ and policies/: "bitpilot 0.1.0
// 3f9c0a12b4d5". Equal builds have equal names, wherever they were made.
std::string AgentBuild();

}  // namespace bitpilot

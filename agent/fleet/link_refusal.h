// Why a connection to a board was not let in, and what mends that.
#pragma once

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// label: how messages call the board, e.g. "board 'rpi5-a' at tcp://192.0.2.7:7777".
//
// Both are kPermissionDenied. The first names the line that the board's authorized_agents lacks.
Status AgentNotAuthorized(const std::string& label, const std::string& agent_public_key);
Status HandshakeNotCompleted(const std::string& label);

}  // namespace bitpilot

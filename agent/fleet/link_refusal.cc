#include "agent/fleet/link_refusal.h"

#include "kernels/base/host_name.h"

namespace bitpilot {

Status AgentNotAuthorized(const std::string& label, const std::string& agent_public_key) {
  return {StatusCode::kPermissionDenied,
          label +
              " refused this agent's key: authorized_agents, in the folder of that board's keys, "
              "has no line for it, or one whose last day is over. Add there: " +
              HostNameAsListName() + " " + agent_public_key};
}

Status HandshakeNotCompleted(const std::string& label) {
  return {StatusCode::kPermissionDenied,
          label +
              " does not complete the encrypted handshake: its public key is not the one given, or "
              "something else than bitpilotd listens there"};
}

}  // namespace bitpilot

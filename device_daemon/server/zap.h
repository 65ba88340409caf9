// Decides for each connecting peer whether it gets in (ZAP, proto/zap.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "device_daemon/server/keys.h"

namespace bitpilot {

struct ZapDecision {
  std::vector<std::string> reply;  // Frames for libzmq.
  bool accepted = false;
  std::string
      public_key;  // Z85; empty if the request holds none. On acceptance it becomes the User-Id.
  std::string peer_address;  // Empty if the request does not tell.
  std::string reason;        // Of a refusal.
};

// Accepts a CURVE peer of domain "bitpilot" whose key is listed and has not expired (WhyNotToday()),
// and nobody else. Any frames are legal input.
ZapDecision DecideZap(const std::vector<std::string>& frames, const AuthorizedAgents& agents,
                      std::optional<Day> today);

}  // namespace bitpilot

// The clock of what drives the cores: monotonic, of this process.
#pragma once

#include <chrono>

#include "agent/fleet/client_core.h"

namespace bitpilot {

inline Instant SteadyNow() {
  return std::chrono::duration_cast<Instant>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace bitpilot

// How long the sessions of a search took, as the script that ran them wrote it down.
#pragma once

#include <optional>
#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

struct SessionTimes {
  double wall_seconds = 0.0;  // sums over the sessions
  double cpu_seconds = 0.0;   // of bitpilot and the daemon that it starts, user and system
};

// `text`: for each session the line "begin", written before it, and the line "end WALL USER SYSTEM"
// (seconds) after it. Nothing is known of a session that was killed, so nothing if one has no end, or if
// there is none.
//
// Errors: kDataCorrupt names the line that is neither, or an end without a begin.
Result<std::optional<SessionTimes>> ParseSessionTimes(const std::string& text);

}  // namespace bitpilot

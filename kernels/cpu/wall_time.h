// Wall time, for what several threads take part in.
#pragma once

#include <cstdint>

namespace bitpilot {

// Nanoseconds (CLOCK_MONOTONIC_RAW: no adjustment by NTP); only differences mean something.
std::int64_t WallNs();

}  // namespace bitpilot

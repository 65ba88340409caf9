// The clock of energy traces and of the worker's windows.
#pragma once

#include <cstdint>
#include <functional>

namespace bitpilot {

// Nanoseconds of CLOCK_MONOTONIC_RAW.
std::int64_t EnergyClockNs();

// Blocks for so many nanoseconds.
using SleepFunction = std::function<void(std::int64_t)>;
void SleepNs(std::int64_t duration_ns);

}  // namespace bitpilot

// What the operating system tells about this board: for HelloAck and `bitpilotd check`. What it
// does not tell is empty or absent, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitpilot {

std::string Architecture();     // "x86_64"
std::string OperatingSystem();  // "Linux 6.1.0"
int CpuCount();                 // CPUs that this process may use.
std::uint64_t FreeMemoryBytes();
std::optional<double> LoadAverage();  // Over the last minute.

}  // namespace bitpilot

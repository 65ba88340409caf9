// What the operating system tells about this board: for HelloAck and `bitpilotd check`. What it
// does not tell is empty or absent, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitpilot {

struct FrequencyRange {
  std::uint32_t min_khz = 0;
  std::uint32_t max_khz = 0;
};

std::string
CpuModel();  // "model name" of /proc/cpuinfo; on Arm without one, its implementer and part.
std::string Architecture();     // "x86_64"
std::string OperatingSystem();  // "Linux 6.1.0"
int CpuCount();                 // CPUs that this process may use.
std::uint64_t FreeMemoryBytes();
std::string Governor();  // Of the first CPU; empty without cpufreq.
std::optional<FrequencyRange>
CurrentFrequency();                   // Lowest and highest current frequency of all CPUs.
std::optional<double> LoadAverage();  // Over the last minute.

}  // namespace bitpilot

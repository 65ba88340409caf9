// What the operating system tells about this board: for HelloAck, for the conditions of a
// measurement and for `bitpilotd check`. What it does not tell is empty or absent, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/bitpilot.pb.h"

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
CurrentFrequency();  // Lowest and highest current frequency of all CPUs.
std::optional<double> HottestZoneCelsius();
std::optional<double> LoadAverage();  // Over the last minute.

// Everything above that can change while a measurement runs. Start conditions go in first; End()
// adds the rest.
void RecordStartConditions(v1::Conditions& conditions);
void RecordEndConditions(v1::Conditions& conditions);

}  // namespace bitpilot

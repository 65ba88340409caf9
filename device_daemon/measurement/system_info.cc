#include "device_daemon/measurement/system_info.h"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCpuFolder = "/sys/devices/system/cpu";

std::string ReadLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Value of the first line "key<spaces>: value" of a file like /proc/cpuinfo, or empty.
std::string ReadField(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return {};
}

template <typename Visit>
void ForEachEntry(const char* folder, std::string_view prefix, Visit visit) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix)) visit(entry.path());
  }
}

utsname SystemNames() {
  utsname names{};
  uname(&names);
  return names;
}

}  // namespace

std::string CpuModel() {
  std::string model = ReadField("/proc/cpuinfo", "model name");
  if (!model.empty()) return model;
  const std::string part = ReadField("/proc/cpuinfo", "CPU part");
  if (part.empty()) return {};
  return "implementer " + ReadField("/proc/cpuinfo", "CPU implementer") + " part " + part;
}

std::string Architecture() { return SystemNames().machine; }

std::string OperatingSystem() {
  const utsname names = SystemNames();
  return std::string(names.sysname) + " " + names.release;
}

int CpuCount() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

std::uint64_t FreeMemoryBytes() {
  return std::strtoull(ReadField("/proc/meminfo", "MemAvailable").c_str(), nullptr, 10) * 1024;
}

std::string Governor() { return ReadLine(fs::path(kCpuFolder) / "cpu0/cpufreq/scaling_governor"); }

std::optional<FrequencyRange> CurrentFrequency() {
  std::optional<FrequencyRange> range;
  ForEachEntry(kCpuFolder, "cpu", [&](const fs::path& cpu) {
    const std::string line = ReadLine(cpu / "cpufreq/scaling_cur_freq");
    if (line.empty()) return;
    const auto khz = static_cast<std::uint32_t>(std::strtoul(line.c_str(), nullptr, 10));
    if (!range) range = FrequencyRange{khz, khz};
    range->min_khz = std::min(range->min_khz, khz);
    range->max_khz = std::max(range->max_khz, khz);
  });
  return range;
}

std::optional<double> LoadAverage() {
  double load = 0.0;
  if (getloadavg(&load, 1) != 1) return std::nullopt;
  return load;
}

}  // namespace bitpilot

#include "device_daemon/measurement/system_info.h"

#include <sched.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <string_view>

namespace bitpilot {
namespace {

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

utsname SystemNames() {
  utsname names{};
  uname(&names);
  return names;
}

}  // namespace

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

std::optional<double> LoadAverage() {
  double load = 0.0;
  if (getloadavg(&load, 1) != 1) return std::nullopt;
  return load;
}

}  // namespace bitpilot

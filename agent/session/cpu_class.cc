#include "agent/session/cpu_class.h"

#include <sched.h>

#include <fstream>
#include <string_view>

#include "agent/qat/library_versions.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

// Value of `key` for the first CPU in /proc/cpuinfo; empty if the system does not tell.
std::string CpuInfo(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    const std::string name = line.substr(0, line.find_first_of("\t:"));
    if (colon != std::string::npos && name == key)
      return line.substr(std::min(line.size(), colon + 2));
  }
  return {};
}

std::string CacheSizes() {
  std::string sizes;
  for (int index = 0; index < 8; ++index) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) +
                       "/size");
    std::string size;
    if (!(file >> size)) break;
    sizes += (sizes.empty() ? "" : "+") + size;
  }
  return sizes;
}

}  // namespace

std::string CpuClass() {
  return CpuInfo("vendor_id") + " family " + CpuInfo("cpu family") + " model " + CpuInfo("model") +
         " flags " + Sha256Hex(CpuInfo("flags")).substr(0, 12) + " caches " + CacheSizes() + " " +
         TrainingLibraryVersions();
}

void LeaveToTheBoard(std::optional<int> cpu, int threads) {
  cpu_set_t cpus;
  if (!cpu || sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return;
  CPU_CLR(*cpu, &cpus);
  if (CPU_COUNT(&cpus) < threads) return;
  (void)sched_setaffinity(0, sizeof(cpus), &cpus);  // best effort: only noise is at stake
}

}  // namespace bitpilot

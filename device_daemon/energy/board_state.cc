#include "device_daemon/energy/board_state.h"

#include <charconv>
#include <set>
#include <system_error>

#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kThrottleFile = "sys/devices/platform/soc/soc:firmware/get_throttled";

std::int64_t NumberOrZero(const fs::path& path) {
  const Result<std::int64_t> number = ReadSysfsNumber(path);
  return number.ok() ? *number : 0;
}

std::optional<ThrottleBits> ReadThrottleBits(const fs::path& path) {
  const Result<std::string> line = ReadSysfsLine(path);
  if (!line.ok()) return std::nullopt;
  const std::size_t start = line->starts_with("0x") ? 2 : 0;
  std::uint32_t bits = 0;
  const char* end = line->data() + line->size();
  const auto [stop, error] = std::from_chars(line->data() + start, end, bits, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return ParseThrottleBits(bits);
}

}  // namespace

ThrottleBits ParseThrottleBits(std::uint32_t bits) {
  return {.under_voltage = (bits & 1U) != 0,
          .frequency_capped = (bits & 2U) != 0,
          .throttled = (bits & 4U) != 0,
          .soft_temperature_limit = (bits & 8U) != 0,
          .any_since_boot = (bits >> 16U) != 0,
          .bits = bits};
}

BoardState ReadBoardState(const fs::path& root) {
  BoardState state;
  for (const fs::path& cpu : SysfsEntries(root / "sys/devices/system/cpu", "cpu")) {
    const fs::path folder = cpu / "cpufreq";
    const Result<std::int64_t> current = ReadSysfsNumber(folder / "scaling_cur_freq");
    if (!current.ok()) continue;
    const Result<std::string> governor = ReadSysfsLine(folder / "scaling_governor");
    state.frequencies.push_back({.cpu = cpu.filename().string(),
                                 .governor = governor.ok() ? *governor : "",
                                 .current_khz = *current,
                                 .min_khz = NumberOrZero(folder / "scaling_min_freq"),
                                 .max_khz = NumberOrZero(folder / "scaling_max_freq")});
  }
  state.zones = ReadThermalZones(root);
  state.throttle = ReadThrottleBits(root / kThrottleFile);
  return state;
}

std::vector<std::string> FindStateConcerns(const BoardState& state, int cpu) {
  std::vector<std::string> concerns;
  std::vector<std::string> varying;
  std::set<std::string> governors;
  for (const CpuFrequency& one : state.frequencies) {
    const bool counts = cpu < 0 || one.cpu == "cpu" + std::to_string(cpu);
    const bool pinned = one.min_khz == one.max_khz && one.max_khz > 0;
    if (!counts || pinned || one.governor == "performance" || one.governor.empty()) continue;
    varying.push_back(one.cpu);
    governors.insert(one.governor);
  }
  if (!varying.empty()) {
    const std::size_t others = varying.size() - 1;
    std::string names;
    for (const std::string& name : governors) names += (names.empty() ? "" : " or ") + name;
    concerns.push_back(
        varying.front() +
        (others == 0 ? " has" : " and " + std::to_string(others) + " other CPUs have") +
        " the governor " + names +
        "; frequencies will vary. Choose performance: echo performance | sudo tee "
        "/sys/devices/system/cpu/" +
        (others == 0 ? varying.front() : "cpu*") + "/cpufreq/scaling_governor");
  }
  if (!state.throttle) return concerns;
  if (state.throttle->under_voltage) {
    concerns.emplace_back("the supply's voltage is too low now; use a stronger supply");
  }
  if (state.throttle->frequency_capped || state.throttle->throttled ||
      state.throttle->soft_temperature_limit) {
    concerns.emplace_back("the firmware limits the frequency now; cool the board");
  }
  return concerns;
}

}  // namespace bitpilot

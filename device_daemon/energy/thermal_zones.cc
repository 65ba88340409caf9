#include "device_daemon/energy/thermal_zones.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <string_view>

#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

// What the types of CPU zones hold, in lower case: cpu-thermal (Raspberry Pi, Allwinner, Amlogic),
// CPU-therm (Jetson), cpu-0-0-usr and cpuss-0 (Qualcomm), mtktscpu (MediaTek), soc-thermal,
// package-thermal, bigcore0-thermal (Rockchip), BIG, MID and LITTLE (Exynos), x86_pkg_temp, TCPU
// and B0D4 (Intel).
constexpr std::array<std::string_view, 10> kCpuWords = {
    "cpu", "soc", "package", "pkg", "core", "cluster", "big", "mid", "little", "b0d4"};

bool IsOfTheCpu(const std::string& zone) {
  std::string lower(zone.substr(0, zone.find('/')));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(kCpuWords.begin(), kCpuWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

std::string OneDecimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

}  // namespace

std::vector<ThermalZone> ReadThermalZones(const fs::path& root) {
  std::vector<ThermalZone> zones;
  std::vector<std::string> folders;
  for (const fs::path& zone : SysfsEntries(root / "sys/class/thermal", "thermal_zone")) {
    const Result<std::int64_t> millicelsius = ReadSysfsNumber(zone / "temp");
    const Result<std::string> type = ReadSysfsLine(zone / "type");
    if (!millicelsius.ok() || !type.ok()) continue;
    zones.push_back({*type, static_cast<double>(*millicelsius) / 1000.0});
    folders.push_back(zone.filename().string());
  }
  std::map<std::string, int> uses;
  for (const ThermalZone& zone : zones) ++uses[zone.name];
  for (std::size_t i = 0; i < zones.size(); ++i) {
    if (uses[zones[i].name] > 1) zones[i].name += "/" + folders[i];
  }
  return zones;
}

std::string IgnoredZone::ToText() const {
  return name + " (" + OneDecimal(celsius) + " C): " + reason;
}

std::string ZoneWatch::WhyStill(const ThermalZone& zone) const {
  const History& history = histories_.at(zone.name);
  if (history.has_moved()) return {};
  if (zone.celsius >= kTooHotCelsius && history.seconds >= kStillSeconds) {
    return "it says the same at every look, for " + OneDecimal(history.seconds) +
           " s while the CPU rested";
  }
  for (const auto& [name, other] : histories_) {
    const double moved = other.highest - other.lowest;
    if (moved >= kOthersMovedCelsius) {
      return "it says the same at every look, while " + name + " moved by " + OneDecimal(moved) +
             " C";
    }
  }
  return {};
}

void ZoneWatch::Look(std::span<const ThermalZone> zones, double seconds_later) {
  for (const ThermalZone& zone : zones) {
    const auto [known, is_new] =
        histories_.try_emplace(zone.name, History{zone.celsius, zone.celsius, 0.0});
    if (is_new) continue;
    known->second.lowest = std::min(known->second.lowest, zone.celsius);
    known->second.highest = std::max(known->second.highest, zone.celsius);
    known->second.seconds += seconds_later;
  }
  hottest_celsius_.reset();
  ignored_.clear();
  std::vector<ThermalZone> alive;
  for (const ThermalZone& zone : zones) {
    std::string why_still = WhyStill(zone);
    if (why_still.empty()) {
      alive.push_back(zone);
    } else {
      ignored_.push_back({zone.name, zone.celsius, std::move(why_still)});
    }
  }
  const bool knows_the_cpu = std::any_of(
      alive.begin(), alive.end(), [](const ThermalZone& one) { return IsOfTheCpu(one.name); });
  for (const ThermalZone& zone : alive) {
    if (knows_the_cpu && !IsOfTheCpu(zone.name)) {
      ignored_.push_back({zone.name, zone.celsius, "it is not the CPU's"});
    } else {
      hottest_celsius_ = std::max(hottest_celsius_.value_or(zone.celsius), zone.celsius);
    }
  }
  std::sort(ignored_.begin(), ignored_.end(),
            [](const IgnoredZone& a, const IgnoredZone& b) { return a.name < b.name; });
}

}  // namespace bitpilot

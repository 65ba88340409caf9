// Thermal zones: what the kernel tells of the board's temperatures, and which of them say how hot
// the CPU is.
//
// Not every zone does. Boards have zones of their radio, their battery, their charger; and zones
// that tell a constant, such as the 100 C of a power chip that only knows whether it is too hot.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bitpilot {

struct ThermalZone {
  std::string
      name;  // Its type, e.g. "cpu-thermal"; with "/thermal_zoneN" if others have that, too.
  double celsius = 0.0;
};

// The zones below `root` (usually "/") that can be read.
std::vector<ThermalZone> ReadThermalZones(const std::filesystem::path& root);

struct IgnoredZone {
  std::string name;
  double celsius = 0.0;
  std::string reason;

  // "PMIC-Die (100.0 C): the reason"
  std::string ToText() const;
};

// Follows the zones of one board and picks those that count.
class ZoneWatch {
 public:
  // Hotter than a CPU that rests for some seconds stays.
  static constexpr double kTooHotCelsius = 95.0;
  static constexpr double kStillSeconds = 5.0;
  static constexpr double kOthersMovedCelsius = 5.0;

  // Notes what the zones say now. `seconds_later`: at least so long after the last look, with the
  // CPU at rest.
  void Look(std::span<const ThermalZone> zones, double seconds_later);

  // The hottest zone that counts, at the last look; nothing if none does. A zone does not count
  //   that has said the same at every look, if that is kTooHotCelsius or more, for kStillSeconds;
  //   that has said the same while another one moved by kOthersMovedCelsius;
  //   that is not the CPU's by its name, if another one is that counts.
  std::optional<double> hottest_celsius() const { return hottest_celsius_; }

  // Those of the last look that do not count, by name.
  const std::vector<IgnoredZone>& ignored() const { return ignored_; }

 private:
  struct History {
    double lowest = 0.0;
    double highest = 0.0;
    double seconds = 0.0;  // since it was first seen

    bool has_moved() const { return highest > lowest; }
  };

  // Why a zone that says `celsius` tells nothing; empty if it may tell something.
  std::string WhyStill(const ThermalZone& zone) const;

  std::map<std::string, History> histories_;  // by name
  std::optional<double> hottest_celsius_;
  std::vector<IgnoredZone> ignored_;
};

}  // namespace bitpilot

#include "device_daemon/energy/hwmon.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "device_daemon/energy/power_rail.h"
#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

// Where the driver does not tell, it leaves what the chip does when it is switched on, or sets it:
// two conversions of 1.1 ms, averaged over 16; one of them for each of three rails in turn; a third
// one, of the chip's temperature.
constexpr std::int64_t kTwoConversionsNs = 35'200'000;
constexpr std::int64_t kThreeRailsNs = 3 * kTwoConversionsNs;
constexpr std::int64_t kThreeConversionsNs = 50'500'000;

struct Chip {
  std::string_view name;
  int rails;
  std::int64_t default_period_ns;
};

constexpr std::array kChips = {
    Chip{"ina209", 1, kTwoConversionsNs},   Chip{"ina219", 1, kTwoConversionsNs},
    Chip{"ina220", 1, kTwoConversionsNs},   Chip{"ina226", 1, kTwoConversionsNs},
    Chip{"ina230", 1, kTwoConversionsNs},   Chip{"ina231", 1, kTwoConversionsNs},
    Chip{"ina260", 1, kTwoConversionsNs},   Chip{"ina228", 1, kThreeConversionsNs},
    Chip{"ina237", 1, kThreeConversionsNs}, Chip{"ina238", 1, kThreeConversionsNs},
    Chip{"ina3221", 3, kThreeRailsNs}};

Status CheckEnabled(const fs::path& enable_file) {
  const Result<std::int64_t> enabled = ReadSysfsNumber(enable_file);
  if (!enabled.ok()) {
    return enabled.status().code() == StatusCode::kNotFound ? Status() : enabled.status();
  }
  if (*enabled != 0) return {};
  return Unsupported("the rail is switched off; switch it on with: echo 1 | sudo tee " +
                     enable_file.string());
}

Status CheckShunt(const fs::path& shunt_file) {
  const Result<std::int64_t> micro_ohm = ReadSysfsNumber(shunt_file);
  if (!micro_ohm.ok()) {
    return micro_ohm.status().code() == StatusCode::kNotFound ? Status() : micro_ohm.status();
  }
  if (*micro_ohm > 0) return {};
  return DataCorrupt("the shunt must be above 0 micro-ohm, " + shunt_file.string() + " says " +
                     std::to_string(*micro_ohm) + "; write the board's value to it");
}

std::int64_t PeriodNs(const fs::path& folder, const Chip& chip) {
  const Result<std::int64_t> milliseconds = ReadSysfsNumber(folder / "update_interval");
  return milliseconds.ok() && *milliseconds > 0 ? *milliseconds * 1'000'000
                                                : chip.default_period_ns;
}

// in0 is the shunt's voltage, in1 the bus's.
FoundEnergySource OpenSingleRail(const fs::path& folder, const Chip& chip) {
  const Result<std::string> label = ReadSysfsLine(folder / "label");
  const std::string name =
      "hwmon:" + std::string(chip.name) + (label.ok() && !label->empty() ? "/" + *label : "");
  return OpenRail(
      name,
      {.millivolt = folder / "in1_input", .milliampere = folder / "curr1_input", .milliwatt = {}},
      PeriodNs(folder, chip), CheckShunt(folder / "shunt_resistor"));
}

// in4 to in7 are shunt voltages, so only in1 to in3 pair with currents.
FoundEnergySource OpenRailOfThree(const fs::path& folder, const Chip& chip, int rail) {
  const std::string number = std::to_string(rail);
  const fs::path label_file = folder / ("in" + number + "_label");
  const Result<std::string> label = ReadSysfsLine(label_file);
  Status usable;
  if (!label.ok() || label->empty()) {
    usable =
        Status(StatusCode::kNotFound,
               label_file.string() + " is missing or empty: what this rail supplies is unknown");
  }
  if (usable.ok()) usable = CheckEnabled(folder / ("in" + number + "_enable"));
  if (usable.ok()) usable = CheckShunt(folder / ("shunt" + number + "_resistor"));
  const std::string rail_name = label.ok() && !label->empty() ? *label : "channel " + number;
  return OpenRail("hwmon:" + std::string(chip.name) + "/" + rail_name,
                  {.millivolt = folder / ("in" + number + "_input"),
                   .milliampere = folder / ("curr" + number + "_input"),
                   .milliwatt = {}},
                  PeriodNs(folder, chip), usable);
}

}  // namespace

std::vector<FoundEnergySource> FindHwmonRails(const fs::path& sysfs_root) {
  std::vector<FoundEnergySource> found;
  for (const fs::path& folder : SysfsEntries(sysfs_root / "class/hwmon", "hwmon")) {
    const Result<std::string> name = ReadSysfsLine(folder / "name");
    const auto* chip = std::find_if(kChips.begin(), kChips.end(), [&](const Chip& one) {
      return name.ok() && one.name == *name;
    });
    if (chip == kChips.end()) continue;
    if (chip->rails == 1) found.push_back(OpenSingleRail(folder, *chip));
    for (int rail = 1; chip->rails > 1 && rail <= chip->rails; ++rail) {
      found.push_back(OpenRailOfThree(folder, *chip, rail));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

}  // namespace bitpilot

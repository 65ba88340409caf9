#include "device_daemon/energy/hwmon.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 7> kSingleRailChips = {
    "ina209", "ina219", "ina220", "ina226", "ina230", "ina231", "ina260"};
constexpr std::array<std::string_view, 2> kThreeRailChips = {"ina3221", "ina3221x"};
constexpr double kAccuracy = 0.02;  // Shunt tolerance and offset; the chip's gain error is smaller.
constexpr double kMaxRailW = 500.0;
// Where the driver does not tell: two conversions of 1.1 ms, averaged over 16; three rails in turn.
constexpr std::int64_t kDefaultPeriodNs = 35'200'000;
constexpr int kRailsPerInterval = 3;

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Files of one rail: millivolt and milliampere.
struct RailFiles {
  fs::path voltage;
  fs::path current;
};

class HwmonSource : public PolledSource {
 public:
  HwmonSource(EnergySourceInfo info, RailFiles files)
      : PolledSource(std::move(info)), files_(std::move(files)) {}

 protected:
  Result<double> Read() override {
    const Result<std::int64_t> millivolt = ReadSysfsNumber(files_.voltage);
    if (!millivolt.ok()) return millivolt.status();
    const Result<std::int64_t> milliampere = ReadSysfsNumber(files_.current);
    if (!milliampere.ok()) return milliampere.status();
    return static_cast<double>(*millivolt) * static_cast<double>(*milliampere) * 1e-6;
  }

 private:
  RailFiles files_;
};

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

std::int64_t PeriodNs(const fs::path& chip, int rails) {
  const Result<std::int64_t> milliseconds = ReadSysfsNumber(chip / "update_interval");
  return milliseconds.ok() && *milliseconds > 0 ? *milliseconds * 1'000'000
                                                : kDefaultPeriodNs * rails;
}

// Rails that feed everything are called VDD_IN, POM_5V_IN, VIN.
FoundEnergySource OpenRail(const std::string& name, RailFiles files, std::int64_t period_ns,
                           const Status& usable) {
  if (!usable.ok()) return {name, usable, nullptr};
  const bool is_input = name.ends_with("_IN") || name.ends_with("/VIN");
  EnergySourceInfo info{
      .name = name,
      .scope = is_input ? "what this rail feeds: the module, or the board" : "this rail only",
      .coverage = is_input ? EnergyCoverage::kInput : EnergyCoverage::kOneRail,
      .sensor = EnergySensor::kSensorOnboard,
      .quantity = EnergyQuantity::kPowerW,
      .period_ns = period_ns,
      .relative_accuracy = kAccuracy,
      .max_power_w = kMaxRailW};
  return TryToRead(std::make_unique<HwmonSource>(std::move(info), std::move(files)));
}

// in0 is the shunt's voltage, in1 the bus's.
FoundEnergySource OpenSingleRail(const fs::path& chip, const std::string& chip_name) {
  const Result<std::string> label = ReadSysfsLine(chip / "label");
  const std::string name =
      "hwmon:" + chip_name + (label.ok() && !label->empty() ? "/" + *label : "");
  return OpenRail(name, {chip / "in1_input", chip / "curr1_input"}, PeriodNs(chip, 1),
                  CheckShunt(chip / "shunt_resistor"));
}

// in4 to in7 are shunt voltages, so only in1 to in3 pair with currents.
FoundEnergySource OpenRailOfThree(const fs::path& chip, const std::string& chip_name, int rail) {
  const std::string number = std::to_string(rail);
  const fs::path label_file = chip / ("in" + number + "_label");
  const Result<std::string> label = ReadSysfsLine(label_file);
  Status usable;
  if (!label.ok() || label->empty()) {
    usable =
        Status(StatusCode::kNotFound,
               label_file.string() + " is missing or empty: what this rail supplies is unknown");
  }
  if (usable.ok()) usable = CheckEnabled(chip / ("in" + number + "_enable"));
  if (usable.ok()) usable = CheckShunt(chip / ("shunt" + number + "_resistor"));
  const std::string rail_name = label.ok() && !label->empty() ? *label : "channel " + number;
  return OpenRail("hwmon:" + chip_name + "/" + rail_name,
                  {chip / ("in" + number + "_input"), chip / ("curr" + number + "_input")},
                  PeriodNs(chip, kRailsPerInterval), usable);
}

}  // namespace

std::vector<FoundEnergySource> FindHwmonRails(const fs::path& sysfs_root) {
  std::vector<FoundEnergySource> found;
  for (const fs::path& chip : SysfsEntries(sysfs_root / "class/hwmon", "hwmon")) {
    const Result<std::string> name = ReadSysfsLine(chip / "name");
    if (!name.ok()) continue;
    if (Contains(kSingleRailChips, *name)) found.push_back(OpenSingleRail(chip, *name));
    if (!Contains(kThreeRailChips, *name)) continue;
    for (int rail = 1; rail <= 3; ++rail) found.push_back(OpenRailOfThree(chip, *name, rail));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

}  // namespace bitpilot

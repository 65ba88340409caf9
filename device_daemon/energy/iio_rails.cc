#include "device_daemon/energy/iio_rails.h"

#include <algorithm>
#include <string>

#include "device_daemon/energy/power_rail.h"
#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr int kRails = 3;
// The driver does not tell. Those boards let the chip average 512 pairs of conversions of 140 us,
// three rails in turn.
constexpr std::int64_t kPeriodNs = std::int64_t{kRails} * 512 * 2 * 140'000;

// Board files write one of these for a channel without a shunt.
bool IsConnected(const std::string& rail) {
  return !rail.empty() && rail != "NC" && rail != "NOT_CONNECTED";
}

RailFiles FilesOf(const fs::path& chip, const std::string& number) {
  RailFiles files{.millivolt = chip / ("in_voltage" + number + "_input"),
                  .milliampere = chip / ("in_current" + number + "_input"),
                  .milliwatt = chip / ("in_power" + number + "_input")};
  std::error_code error;
  if (!fs::exists(files.milliwatt, error)) files.milliwatt.clear();
  return files;
}

}  // namespace

std::vector<FoundEnergySource> FindIioRails(const fs::path& sysfs_root) {
  std::vector<FoundEnergySource> found;
  for (const fs::path& chip : SysfsEntries(sysfs_root / "bus/iio/devices", "iio:device")) {
    const Result<std::string> name = ReadSysfsLine(chip / "name");
    if (!name.ok() || *name != "ina3221x") continue;
    for (int rail = 0; rail < kRails; ++rail) {
      const std::string number = std::to_string(rail);
      const Result<std::string> rail_name = ReadSysfsLine(chip / ("rail_name_" + number));
      if (!rail_name.ok() || !IsConnected(*rail_name)) continue;
      found.push_back(
          OpenRail("iio:ina3221x/" + *rail_name, FilesOf(chip, number), kPeriodNs, Status()));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

}  // namespace bitpilot

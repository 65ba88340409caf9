// One rail of a power monitor chip, as files that a driver shows (hwmon.h, iio_rails.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// Either `milliwatt`, or both of the others.
struct RailFiles {
  std::filesystem::path millivolt;
  std::filesystem::path milliampere;
  std::filesystem::path milliwatt;
};

// The rail `name`, which is what it supplies: VDD_IN, POM_5V_IN, VIN and the like feed everything.
// It cannot be used unless `usable` is OK, its files can be read, and what they tell is plausible.
FoundEnergySource OpenRail(const std::string& name, RailFiles files, std::int64_t period_ns,
                           const Status& usable);

}  // namespace bitpilot

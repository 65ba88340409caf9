// INA3221 power monitors of NVIDIA's Jetson boards up to JetPack 4, whose own driver shows them
// through the industrial I/O interface instead of hwmon (hwmon.h).
//
// Source: NVIDIA's Linux for Tegra 32, drivers/staging/iio/meter/ina3221.c: rail_name_N,
// in_powerN_input (mW), in_voltageN_input (mV), in_currentN_input (mA), N in 0..2.
#pragma once

#include <filesystem>
#include <vector>

#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// All rails with a name of all ina3221x chips below `sysfs_root` (usually "/sys"), named
// "iio:ina3221x/RAIL". A channel that is not connected, which has no name, is left out.
std::vector<FoundEnergySource> FindIioRails(const std::filesystem::path& sysfs_root);

}  // namespace bitpilot

// INA2xx (INA228, 237 and 238 among them) and INA3221 power monitors, through the kernel's hwmon
// interface.
//
// Chips and rails are found by `name` and `inN_label`; the number in hwmonN changes from boot to
// boot. An INA3221 has three rails, each with its own shunt, that can be switched off one by one.
//
// Source: Linux Documentation/hwmon/ina2xx.rst, ina238.rst and ina3221.rst.
#pragma once

#include <filesystem>
#include <vector>

#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// All rails of all chips below `sysfs_root` (usually "/sys"), named "hwmon:CHIP/RAIL". A rail that
// cannot be used says why: kUnsupported if it is switched off, kNotFound if an INA3221's rail has
// no label (nobody knows what it measures), kDataCorrupt for a shunt of 0 ohm (no current can be
// derived), and what TryToRead() finds.
std::vector<FoundEnergySource> FindHwmonRails(const std::filesystem::path& sysfs_root);

}  // namespace bitpilot

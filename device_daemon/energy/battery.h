// Battery gauges, through the kernel's power_supply class: a last resort, since they average over
// seconds, so that a window must last minutes.
//
// Source: Linux Documentation/ABI/testing/sysfs-class-power.
#pragma once

#include <filesystem>
#include <vector>

#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// All batteries below `sysfs_root` (usually "/sys"), named "battery:NAME", but those of a mouse, a
// headset or the like (scope "Device"), which supply no board. Power is power_now, or
// current_now times voltage_now; the sign is dropped, since drivers disagree about it. One that is
// not discharging is kUnavailable: what it then shows is not what the board draws.
std::vector<FoundEnergySource> FindBatteries(const std::filesystem::path& sysfs_root);

}  // namespace bitpilot

// All energy sources of this machine, with the reasons of those that cannot be used.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// RAPL, power monitors, the Raspberry Pi 5's power management chip and batteries below `root`
// (usually "/", whose sys/ and proc/ are read). Nothing here falls back on a model: an empty list,
// or one without a usable entry, means that this machine measures no energy.
std::vector<FoundEnergySource> FindEnergySources(const std::filesystem::path& root,
                                                 const TrialClock& clock = {});

}  // namespace bitpilot

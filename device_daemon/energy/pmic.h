// The power management chip of a Raspberry Pi 5, which `vcgencmd pmic_read_adc` prints as text:
// voltage and current of twelve rails behind the converters, and some voltages alone.
//
// Source: the Raspberry Pi documentation, "vcgencmd: pmic_read_adc".
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// Sum of volt times ampere over the rails that have both. Lines look like
// "  VDD_CORE_A current(7)=1.2345678A" and "  VDD_CORE_V volt(15)=0.7200000V".
//
// Errors: kDataCorrupt for a line that is not so, a rail with a current but no voltage, or no rail.
Result<double> ParsePmicPower(std::string_view text);

// Finds the chip by the board's model (device-tree "Raspberry Pi 5") below `root` (usually "/").
// `read_text` runs the command; pass RunPmicCommand. Empty on other boards.
std::vector<FoundEnergySource> FindPmic(const std::filesystem::path& root,
                                        std::function<Result<std::string>()> read_text);

// What `vcgencmd pmic_read_adc` prints.
//
// Errors: kUnavailable if it cannot be run or fails.
Result<std::string> RunPmicCommand();

}  // namespace bitpilot

// Plausibility: whether what a source tells can be what a board draws. Every window of a
// measurement passes this test, and every sensor before it is offered (energy_source.h,
// TryToRead()): what `bitpilotd check` calls usable does not fail in the first measurement for what
// could be seen at once.
#pragma once

#include <span>

#include "device_daemon/energy/energy_source.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Powers must be in (0, source.max_power_w]: of each sample, or of a counter from the first to the
// last one. A counter's values must not decrease.
//
// Errors: kDataCorrupt for any other values, and for fewer samples than tell a power: one, of a
// counter two.
//
// REQUIRES: a counter's times increase.
Status CheckPlausible(const EnergySourceInfo& source, std::span<const EnergySample> samples);

}  // namespace bitpilot

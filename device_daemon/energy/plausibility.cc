#include "device_daemon/energy/plausibility.h"

#include <string>

namespace bitpilot {
namespace {

Status CheckPower(const EnergySourceInfo& source, double power_w) {
  if (power_w > 0.0 && power_w <= source.max_power_w) return {};
  return DataCorrupt("a power of " + std::to_string(power_w) + " W is not in (0, " +
                     std::to_string(source.max_power_w) + "]: wrong unit, sign or wiring?");
}

Status CheckCounter(const EnergySourceInfo& source, std::span<const EnergySample> samples) {
  for (std::size_t i = 1; i < samples.size(); ++i) {
    if (samples[i].value < samples[i - 1].value) {
      return DataCorrupt("the energy counter went back from " +
                         std::to_string(samples[i - 1].value) + " to " +
                         std::to_string(samples[i].value) + " J");
    }
  }
  const double energy_j = samples.back().value - samples.front().value;
  const double seconds =
      static_cast<double>(samples.back().time_ns - samples.front().time_ns) * 1e-9;
  if (energy_j == 0.0) {
    return DataCorrupt("the energy counter stood still for " + std::to_string(seconds) +
                       " s: it counts nothing, as in many virtual machines");
  }
  return CheckPower(source, energy_j / seconds);
}

}  // namespace

Status CheckPlausible(const EnergySourceInfo& source, std::span<const EnergySample> samples) {
  const bool is_counter = source.quantity == EnergyQuantity::kEnergyJ;
  if (samples.size() < (is_counter ? 2U : 1U)) {
    return DataCorrupt("the source gave " + std::to_string(samples.size()) +
                       " samples, too few to tell a power");
  }
  if (is_counter) return CheckCounter(source, samples);
  for (const EnergySample& sample : samples) {
    BITPILOT_RETURN_IF_ERROR(CheckPower(source, sample.value));
  }
  return {};
}

}  // namespace bitpilot

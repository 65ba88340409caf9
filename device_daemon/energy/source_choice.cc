#include "device_daemon/energy/source_choice.h"

#include <iterator>
#include <utility>

#include "device_daemon/energy/discovery.h"
#include "device_daemon/energy/meter_program.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

std::string Names(std::span<const FoundEnergySource> found) {
  return found.empty() ? "none" : Joined(found, &FoundEnergySource::name);
}

std::string WhyNothingMeasures(std::span<const FoundEnergySource> found) {
  if (found.empty()) return "this board has no energy source that bitpilotd knows";
  std::string reasons;
  for (const FoundEnergySource& one : found) {
    reasons += (reasons.empty() ? "" : "; ") + one.name + ": " +
               (one.status.ok() ? "feeds a part of the board only; choose it with --energy-source"
                                : one.status.message());
  }
  return reasons;
}

}  // namespace

std::optional<std::size_t> BestEnergySource(std::span<const FoundEnergySource> found) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].status.ok()) continue;
    const EnergyCoverage coverage = found[i].source->info().coverage;
    if (coverage == EnergyCoverage::kOneRail) continue;
    if (!best || coverage < found[*best].source->info().coverage) best = i;
  }
  return best;
}

Result<EnergyChoice> ChooseEnergySource(std::vector<FoundEnergySource> found,
                                        const std::string& name) {
  if (name == kNoEnergySource) {
    return EnergyChoice{nullptr, "energy is switched off (--energy-source none)"};
  }
  if (name.empty()) {
    const std::optional<std::size_t> best = BestEnergySource(found);
    if (!best) return EnergyChoice{nullptr, WhyNothingMeasures(found)};
    return EnergyChoice{std::move(found[*best].source), ""};
  }
  for (FoundEnergySource& one : found) {
    if (one.name != name) continue;
    if (!one.status.ok()) return one.status.WithContext("energy source " + name);
    return EnergyChoice{std::move(one.source), ""};
  }
  return InvalidArgument("no energy source is called '" + name +
                         "'; this board has: " + Names(found) + ". `none` switches energy off");
}

Result<std::vector<FoundEnergySource>> FindAllEnergySources(const std::string& meter) {
  std::vector<FoundEnergySource> sources = FindEnergySources("/");
  if (meter.empty()) return sources;
  Result<std::unique_ptr<EnergySource>> source = StartMeterProgram(meter);
  if (!source.ok()) return source.status();
  FoundEnergySource external{(*source)->info().name, {}, std::move(*source)};
  sources.insert(sources.begin(), std::move(external));
  return sources;
}

}  // namespace bitpilot

#include "device_daemon/energy/energy_source.h"

#include <algorithm>

#include "device_daemon/energy/plausibility.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kTrialNs = 100'000'000;
constexpr std::int64_t kTrialPeriods = 3;

}  // namespace

Status PolledSource::Start(std::int64_t now_ns) {
  samples_.clear();
  return Poll(now_ns);
}

Status PolledSource::Poll(std::int64_t now_ns) {
  const Result<double> value = Read();
  if (!value.ok()) return value.status().WithContext("energy source " + info_.name);
  samples_.push_back({now_ns, *value});
  return {};
}

Result<EnergyTrace> PolledSource::Finish(std::int64_t now_ns) {
  BITPILOT_RETURN_IF_ERROR(Poll(now_ns));
  return EnergyTrace{info_, std::exchange(samples_, {}), 0};
}

Status TryToRecord(EnergySource& source, const TrialClock& clock) {
  const EnergySourceInfo& info = source.info();
  BITPILOT_RETURN_IF_ERROR(source.Start(clock.now_ns()));
  const bool tells_at_once =
      info.sensor == EnergySensor::kSensorOnboard && info.quantity == EnergyQuantity::kPowerW;
  if (!tells_at_once) clock.sleep(std::max(kTrialNs, kTrialPeriods * info.period_ns));
  const Result<EnergyTrace> trace = source.Finish(clock.now_ns());
  if (!trace.ok()) return trace.status();
  return CheckPlausible(trace->source, trace->samples).WithContext("energy source " + info.name);
}

FoundEnergySource TryToRead(std::unique_ptr<PolledSource> source, const TrialClock& clock) {
  const std::string name = source->info().name;
  const Status status = TryToRecord(*source, clock);
  if (!status.ok()) return {name, status, nullptr};
  return {name, {}, std::move(source)};
}

}  // namespace bitpilot

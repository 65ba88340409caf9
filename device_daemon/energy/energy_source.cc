#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

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

FoundEnergySource TryToRead(std::unique_ptr<PolledSource> source) {
  const std::string name = source->info().name;
  const Status status = source->Start(0);
  if (!status.ok()) return {name, status, nullptr};
  return {name, {}, std::move(source)};
}

}  // namespace bitpilot

#include "device_daemon/energy/power_rail.h"

#include <memory>
#include <utility>

#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

constexpr double kAccuracy = 0.02;  // Shunt tolerance and offset; the chip's gain error is smaller.
constexpr double kMaxRailW = 500.0;

class RailSource : public PolledSource {
 public:
  RailSource(EnergySourceInfo info, RailFiles files)
      : PolledSource(std::move(info)), files_(std::move(files)) {}

 protected:
  Result<double> Read() override {
    if (!files_.milliwatt.empty()) {
      const Result<std::int64_t> milliwatt = ReadSysfsNumber(files_.milliwatt);
      if (!milliwatt.ok()) return milliwatt.status();
      return static_cast<double>(*milliwatt) * 1e-3;
    }
    const Result<std::int64_t> millivolt = ReadSysfsNumber(files_.millivolt);
    if (!millivolt.ok()) return millivolt.status();
    const Result<std::int64_t> milliampere = ReadSysfsNumber(files_.milliampere);
    if (!milliampere.ok()) return milliampere.status();
    return static_cast<double>(*millivolt) * static_cast<double>(*milliampere) * 1e-6;
  }

 private:
  RailFiles files_;
};

}  // namespace

FoundEnergySource OpenRail(const std::string& name, RailFiles files, std::int64_t period_ns,
                           const Status& usable) {
  if (!usable.ok()) return {name, usable, nullptr};
  const bool is_input = name.ends_with("_IN") || name.ends_with("/VIN");
  EnergySourceInfo info{
      .name = name,
      .scope = is_input ? "what this rail feeds: the module, or the board" : "this rail only",
      .coverage = is_input ? EnergyCoverage::kInput : EnergyCoverage::kOneRail,
      .sensor = EnergySensor::kSensorOnboard,
      .quantity = EnergyQuantity::kPowerW,
      .period_ns = period_ns,
      .relative_accuracy = kAccuracy,
      .max_power_w = kMaxRailW};
  return TryToRead(std::make_unique<RailSource>(std::move(info), std::move(files)));
}

}  // namespace bitpilot

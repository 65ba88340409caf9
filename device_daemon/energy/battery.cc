#include "device_daemon/energy/battery.h"

#include <cmath>
#include <string>
#include <utility>

#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPeriodNs = 1'000'000'000;
constexpr double kAccuracy = 0.1;
constexpr double kMaxPowerW = 500.0;

Status CheckDischarging(const fs::path& battery) {
  const Result<std::string> state = ReadSysfsLine(battery / "status");
  if (!state.ok()) return state.status();
  if (*state == "Discharging") return {};
  return Status(StatusCode::kUnavailable, (battery / "status").string() +
                                              " must be Discharging, is " + *state +
                                              "; unplug the charger");
}

class BatterySource : public PolledSource {
 public:
  BatterySource(EnergySourceInfo info, fs::path battery)
      : PolledSource(std::move(info)), battery_(std::move(battery)) {}

 protected:
  Result<double> Read() override {
    BITPILOT_RETURN_IF_ERROR(CheckDischarging(battery_));
    const Result<std::int64_t> microwatt = ReadSysfsNumber(battery_ / "power_now");
    if (microwatt.ok()) return std::fabs(static_cast<double>(*microwatt)) * 1e-6;
    const Result<std::int64_t> microampere = ReadSysfsNumber(battery_ / "current_now");
    if (!microampere.ok()) return microampere.status();
    const Result<std::int64_t> microvolt = ReadSysfsNumber(battery_ / "voltage_now");
    if (!microvolt.ok()) return microvolt.status();
    return std::fabs(static_cast<double>(*microampere)) * 1e-6 * static_cast<double>(*microvolt) *
           1e-6;
  }

 private:
  fs::path battery_;
};

}  // namespace

std::vector<FoundEnergySource> FindBatteries(const fs::path& sysfs_root) {
  std::vector<FoundEnergySource> found;
  for (const fs::path& supply : SysfsEntries(sysfs_root / "class/power_supply", "")) {
    const Result<std::string> type = ReadSysfsLine(supply / "type");
    if (!type.ok() || *type != "Battery") continue;
    const Result<std::string> scope = ReadSysfsLine(supply / "scope");
    if (scope.ok() && *scope == "Device") continue;
    EnergySourceInfo info{.name = "battery:" + supply.filename().string(),
                          .scope = "everything that the battery supplies, averaged over seconds",
                          .coverage = EnergyCoverage::kBattery,
                          .sensor = EnergySensor::kSensorOnboard,
                          .quantity = EnergyQuantity::kPowerW,
                          .period_ns = kPeriodNs,
                          .relative_accuracy = kAccuracy,
                          .max_power_w = kMaxPowerW};
    found.push_back(TryToRead(std::make_unique<BatterySource>(std::move(info), supply)));
  }
  return found;
}

}  // namespace bitpilot

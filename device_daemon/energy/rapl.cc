#include "device_daemon/energy/rapl.h"

#include <string>
#include <utility>

#include "device_daemon/energy/sysfs.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPeriodNs = 10'000'000;
constexpr double kAccuracy = 0.05;  // Partly modelled by the CPU; not a meter.
constexpr double kMaxPackageW = 1000.0;

struct Package {
  fs::path counter_file;
  WrappingCounter counter;
};

class RaplSource : public PolledSource {
 public:
  RaplSource(EnergySourceInfo info, std::vector<Package> packages)
      : PolledSource(std::move(info)), packages_(std::move(packages)) {}

 protected:
  Result<double> Read() override {
    std::int64_t total_uj = 0;
    for (Package& package : packages_) {
      const Result<std::int64_t> value = ReadSysfsNumber(package.counter_file);
      if (!value.ok()) return value.status();
      const Result<std::int64_t> energy_uj = package.counter.Advance(*value);
      if (!energy_uj.ok()) return energy_uj.status().WithContext(package.counter_file.string());
      total_uj += *energy_uj;
    }
    return static_cast<double>(total_uj) * 1e-6;
  }

 private:
  std::vector<Package> packages_;
};

bool IsTopLevel(const fs::path& zone) {
  const std::string name = zone.filename().string();
  return name.find(':') == name.rfind(':');
}

EnergySourceInfo InfoOf(const std::string& name, std::size_t num_packages) {
  return {.name = name,
          .scope = "CPU packages; neither memory chips nor the rest of the board",
          .coverage = EnergyCoverage::kProcessor,
          .sensor = EnergySensor::kSensorOnboard,
          .quantity = EnergyQuantity::kEnergyJ,
          .period_ns = kPeriodNs,
          .relative_accuracy = kAccuracy,
          .max_power_w = kMaxPackageW * static_cast<double>(num_packages)};
}

// Each package is tried alone: in a sum one that counts nothing would not show.
Result<Package> OpenPackage(const std::string& name, const fs::path& zone,
                            const TrialClock& clock) {
  const fs::path range_file = zone / "max_energy_range_uj";
  const Result<std::int64_t> range = ReadSysfsNumber(range_file);
  if (!range.ok()) return range.status();
  if (*range <= 0) {
    return DataCorrupt(range_file.string() + " must be positive, got " + std::to_string(*range));
  }
  const Package package{zone / "energy_uj", WrappingCounter(*range)};
  const FoundEnergySource tried = TryToRead(
      std::make_unique<RaplSource>(InfoOf("rapl:" + name, 1), std::vector<Package>{package}),
      clock);
  if (!tried.status.ok()) return tried.status;
  return package;
}

}  // namespace

Result<std::int64_t> WrappingCounter::Advance(std::int64_t value) {
  if (value < 0 || value > range_) {
    return DataCorrupt("a counter that wraps at " + std::to_string(range_) + " cannot be at " +
                       std::to_string(value));
  }
  if (last_ >= 0) total_ += value >= last_ ? value - last_ : range_ - last_ + value;
  last_ = value;
  return total_;
}

std::vector<FoundEnergySource> FindRapl(const fs::path& sysfs_root, const TrialClock& clock) {
  std::vector<Package> packages;
  std::string names;
  Status failure;
  for (const fs::path& zone : SysfsEntries(sysfs_root / "class/powercap", "intel-rapl:")) {
    if (!IsTopLevel(zone)) continue;
    const Result<std::string> name = ReadSysfsLine(zone / "name");
    if (!name.ok() || !name->starts_with("package")) continue;
    names += (names.empty() ? "" : "+") + *name;
    Result<Package> package = OpenPackage(*name, zone, clock);
    if (package.ok()) {
      packages.push_back(std::move(*package));
    } else if (failure.ok()) {
      failure = package.status();
    }
  }
  std::vector<FoundEnergySource> found;
  if (names.empty()) return found;
  const std::string name = "rapl:" + names;
  if (!failure.ok()) {
    found.push_back({name, failure, nullptr});
  } else {
    const EnergySourceInfo info = InfoOf(name, packages.size());
    found.push_back({name, {}, std::make_unique<RaplSource>(info, std::move(packages))});
  }
  return found;
}

}  // namespace bitpilot

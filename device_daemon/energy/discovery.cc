#include "device_daemon/energy/discovery.h"

#include <iterator>
#include <utility>

#include "device_daemon/energy/battery.h"
#include "device_daemon/energy/hwmon.h"
#include "device_daemon/energy/iio_rails.h"
#include "device_daemon/energy/pmic.h"
#include "device_daemon/energy/rapl.h"

namespace bitpilot {
namespace {

void Append(std::vector<FoundEnergySource> more, std::vector<FoundEnergySource>& all) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<FoundEnergySource> FindEnergySources(const std::filesystem::path& root,
                                                 const TrialClock& clock) {
  std::vector<FoundEnergySource> all;
  Append(FindRapl(root / "sys", clock), all);
  Append(FindHwmonRails(root / "sys"), all);
  Append(FindIioRails(root / "sys"), all);
  Append(FindPmic(root, RunPmicCommand), all);
  Append(FindBatteries(root / "sys"), all);
  return all;
}

}  // namespace bitpilot

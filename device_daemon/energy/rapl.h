// RAPL: the energy counters of x86 CPUs, through the kernel's powercap interface.
//
// Only packages (`intel-rapl:N` named package-N) are read. Their parts (core, uncore: nested zones)
// would count twice, as would psys, which contains the packages, and intel-rapl-mmio, a second way
// to the same counter. All packages are summed.
//
// The counter moves about every 976 us. It is read a hundred times a second, which is what the
// shortest window needs: every look wakes a CPU of the package that is measured.
//
// Source: Linux Documentation/power/powercap/powercap.rst.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "device_daemon/energy/energy_source.h"

namespace bitpilot {

// A counter that begins again at zero after `range` counts: differences add up across wraps.
class WrappingCounter {
 public:
  explicit WrappingCounter(std::int64_t range) : range_(range) {}

  // Counts since the first call, given the counter's present value. It must be called more often
  // than the counter wraps (for RAPL: minutes at full load).
  //
  // Errors: kDataCorrupt for a value outside [0, range].
  Result<std::int64_t> Advance(std::int64_t value);

 private:
  std::int64_t range_;
  std::int64_t last_ = -1;
  std::int64_t total_ = 0;
};

// RAPL below `sysfs_root` (usually "/sys"). Empty without powercap; otherwise one entry, whose
// status says why it cannot be used: kPermissionDenied where energy_uj is for root only (the
// default since CVE-2020-8694), kDataCorrupt for a counter without a usable max_energy_range_uj and
// for what TryToRead() finds: a counter beyond that range, one that stands still.
std::vector<FoundEnergySource> FindRapl(const std::filesystem::path& sysfs_root,
                                        const TrialClock& clock = {});

}  // namespace bitpilot

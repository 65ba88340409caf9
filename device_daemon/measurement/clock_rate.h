// The clock of a CPU by what it does, beside what the system claims: firmware, a weak supply or a
// hypervisor slow CPUs down without telling cpufreq.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "device_daemon/measurement/latency_sampler.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// Clock of the CPU that runs this thread, in MHz: additions, each of which needs the sum before it,
// take one cycle each on every CPU. The fastest of several runs, half a millisecond in all, since an
// interrupt can only lengthen one. Nothing on an architecture for which the additions are not written.
//
// REQUIRES: a CPU that is awake, as after the canary: from rest it would be seen speeding up.
std::optional<double> MeasureClockMhz(MeasureClock& clock);

// Follows the clock over leases and measurements.
class ClockWatch {
 public:
  // The clock may be so much below what the system claims, as a fraction of that.
  static constexpr double kMaxBelowClaim = 0.10;

  using ReadMhz = std::function<std::optional<double>()>;

  // measured, claimed: now, of the same CPU; either may be empty, or know nothing.
  ClockWatch(ReadMhz measured, ReadMhz claimed);

  void BeginLease() { lease_mhz_.reset(); }
  void BeginMeasurement() { lowest_.reset(); }
  // Looks at both; once more where they do not agree, since the frequency may have changed in between.
  void Look();

  // clock_lease_mhz, clock_mhz and claimed_clock_mhz of the measurement.
  void Record(v1::Conditions& conditions) const;
  // That the CPU is throttled though cpufreq says not; empty if that was not seen in the measurement.
  std::string Describe() const;

 private:
  struct Reading {
    double mhz = 0.0;
    std::optional<double> claimed_mhz;

    bool is_throttled() const { return claimed_mhz && mhz < *claimed_mhz * (1.0 - kMaxBelowClaim); }
  };
  std::optional<Reading> ReadOnce() const;

  ReadMhz measured_;
  ReadMhz claimed_;
  std::optional<double> lease_mhz_;
  std::optional<Reading> lowest_;  // Of the measurement; one that is throttled before others.
};

}  // namespace bitpilot

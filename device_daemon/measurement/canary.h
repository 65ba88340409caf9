// Canary: one fixed network, timed when a lease begins and every 30 s: what changes in its time is
// the board and not a candidate.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

// One inference of the fixed network: ResNet-8 at 8 bits with seeded random weights, by the
// kernels that the static rule chooses for `isa`.
//
// Errors: kUnsupported if the CPU lacks `isa`.
Result<std::function<void()>> CanaryInference(Isa isa);

class Canary {
 public:
  static constexpr std::int64_t kIntervalNs = 30'000'000'000;

  explicit Canary(std::function<void()> inference) : inference_(std::move(inference)) {}

  // Times the canary (about 15 ms) if the lease is another one than last time or kIntervalNs have
  // passed; otherwise returns at once.
  void Look(std::uint64_t lease_epoch, MeasureClock& clock);

  // Times it at once. REQUIRES: Look() was called.
  void LookNow(MeasureClock& clock);

  // Thread CPU time of one inference, in the lease's first look and in the latest. A latest one
  // that is_off() was timed twice in a row, and is the better of the two: something may have
  // disturbed the canary itself. REQUIRES: Look() was called.
  double lease_ns() const { return lease_ns_.value(); }
  double latest_ns() const { return latest_ns_.value(); }

  // Whether `time_ns` says that the CPU has another speed than when the lease began: it differs by
  // more than 3 % and by more than four times the scatter of the first look.
  bool is_off(double time_ns) const;

 private:
  double TimeOnce(MeasureClock& clock, double* scatter) const;

  std::function<void()> inference_;
  std::optional<std::uint64_t> lease_epoch_;
  std::optional<double> lease_ns_;
  std::optional<double> latest_ns_;
  double lease_scatter_ = 0.0;  // median distance from the median, as a fraction of it
  std::int64_t looked_ns_ = 0;
};

}  // namespace bitpilot

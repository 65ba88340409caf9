// Canary: one fixed network, timed when a lease begins and every 30 s: what changes in its time is
// the board and not a candidate.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

// One inference of the fixed network: ResNet-8 at 8 bits with seeded random weights, by the
// kernels that the static rule chooses for `isa`.
//
// Errors: kUnsupported if the CPU lacks `isa`.
Result<std::function<void()>> CanaryInference(Isa isa);

// CPU time of one inference, and how far samples of it are from their median, as a fraction of it.
struct CanaryTime {
  double ns = 0.0;
  double scatter = 0.0;
};

class Canary {
 public:
  static constexpr std::int64_t kIntervalNs = 30'000'000'000;

  // What a CPU that is slow is slower than.
  enum class Reference {
    kLease,         // when the lease began
    kBestSinceBoot  // at its best: a lease may begin on a board that is too hot to be itself
  };

  Canary(std::function<void()> inference, Reference reference)
      : inference_(std::move(inference)), reference_(reference) {}

  // The best time that an earlier process saw on this board. Of no effect with Reference::kLease.
  void NoteBest(const CanaryTime& best);
  // Nothing before the first look.
  const std::optional<CanaryTime>& best() const { return best_; }

  // Times the canary (about 15 ms) if the lease is another one than last time or kIntervalNs have
  // passed; otherwise returns at once. Whether the lease is another one.
  bool Look(std::uint64_t lease_epoch, MeasureClock& clock);

  // Times it at once. REQUIRES: Look() was called.
  void LookNow(MeasureClock& clock);

  // The lease shall have begun with the latest look. REQUIRES: Look() was called.
  void BeginLeaseWithLatest() { lease_ns_ = latest_ns_; }

  // Thread CPU time of one inference, in the lease's first look and in the latest. A latest one
  // that is_off() was timed twice in a row, and is the better of the two: something may have
  // disturbed the canary itself. REQUIRES: Look() was called.
  double lease_ns() const { return lease_ns_.value(); }
  double latest_ns() const { return latest_ns_.value(); }

  // Whether `time_ns` says that the CPU is slower than the reference or faster than when the lease
  // began: by more than 3 %, and by more than four times the scatter of that time.
  bool is_slow(double time_ns) const;
  bool is_fast(double time_ns) const;
  bool is_off(double time_ns) const { return is_slow(time_ns) || is_fast(time_ns); }

  // When it was timed last, by the clock's wall time.
  std::int64_t looked_ns() const { return looked_ns_; }

 private:
  CanaryTime TimeOnce(MeasureClock& clock) const;

  std::function<void()> inference_;
  Reference reference_;
  std::optional<std::uint64_t> lease_epoch_;
  std::optional<double> lease_ns_;
  std::optional<double> latest_ns_;
  double lease_scatter_ = 0.0;
  std::optional<CanaryTime> best_;  // with Reference::kLease: of this lease's first look
  std::int64_t looked_ns_ = 0;
};

}  // namespace bitpilot

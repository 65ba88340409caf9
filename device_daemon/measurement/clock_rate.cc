#include "device_daemon/measurement/clock_rate.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <utility>

namespace bitpilot {
namespace {

constexpr int kRuns = 24;
constexpr int kLoops = 512;
constexpr int kAddsALoop = 64;

// An addition of two registers: of a constant, some CPUs make none at all.
#if defined(__x86_64__) || defined(__i386__)
#define BITPILOT_ADD "add %1, %0\n\t"
#elif defined(__aarch64__)
#define BITPILOT_ADD "add %0, %0, %1\n\t"
#elif defined(__arm__) || defined(__riscv)
#define BITPILOT_ADD "add %0, %0, %1\n\t"
#endif

#ifdef BITPILOT_ADD
#define BITPILOT_ADD_4 BITPILOT_ADD BITPILOT_ADD BITPILOT_ADD BITPILOT_ADD
#define BITPILOT_ADD_16 BITPILOT_ADD_4 BITPILOT_ADD_4 BITPILOT_ADD_4 BITPILOT_ADD_4

void AddInAChain() {
  std::uintptr_t sum = 0;
  const std::uintptr_t one = 1;
  for (int i = 0; i < kLoops; ++i) {
    asm volatile(BITPILOT_ADD_16 BITPILOT_ADD_16 BITPILOT_ADD_16 BITPILOT_ADD_16
                 : "+r"(sum)
                 : "r"(one)
                 : "cc");
  }
}
#endif

std::string Mhz(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f MHz", value);
  return text;
}

}  // namespace

std::optional<double> MeasureClockMhz(MeasureClock& clock) {
#ifdef BITPILOT_ADD
  std::int64_t fastest_ns = std::numeric_limits<std::int64_t>::max();
  for (int run = 0; run < kRuns; ++run) {
    const std::int64_t begin_ns = clock.WallNs();
    AddInAChain();
    fastest_ns = std::min(fastest_ns, clock.WallNs() - begin_ns);
  }
  if (fastest_ns <= 0) return std::nullopt;
  return 1e3 * kLoops * kAddsALoop / static_cast<double>(fastest_ns);
#else
  (void)clock;
  return std::nullopt;
#endif
}

ClockWatch::ClockWatch(ReadMhz measured, ReadMhz claimed)
    : measured_(std::move(measured)), claimed_(std::move(claimed)) {}

std::optional<ClockWatch::Reading> ClockWatch::ReadOnce() const {
  const std::optional<double> mhz = measured_ ? measured_() : std::nullopt;
  if (!mhz) return std::nullopt;
  return Reading{*mhz, claimed_ ? claimed_() : std::nullopt};
}

void ClockWatch::Look() {
  std::optional<Reading> reading = ReadOnce();
  if (!reading) return;
  if (reading->is_throttled()) {
    const std::optional<Reading> again = ReadOnce();
    if (again && !again->is_throttled()) reading = again;
  }
  if (!lease_mhz_) lease_mhz_ = reading->mhz;
  const bool is_worse = !lowest_ || (reading->is_throttled() != lowest_->is_throttled()
                                         ? reading->is_throttled()
                                         : reading->mhz < lowest_->mhz);
  if (is_worse) lowest_ = reading;
}

void ClockWatch::Record(v1::Conditions& conditions) const {
  if (!lowest_) return;
  conditions.set_clock_lease_mhz(*lease_mhz_);
  conditions.set_clock_mhz(lowest_->mhz);
  if (lowest_->claimed_mhz) conditions.set_claimed_clock_mhz(*lowest_->claimed_mhz);
}

std::string ClockWatch::Describe() const {
  if (!lowest_ || !lowest_->is_throttled()) return {};
  return "throttled though cpufreq says not: the CPU runs at " + Mhz(lowest_->mhz) +
         ", measured by its additions, and cpufreq claims " + Mhz(*lowest_->claimed_mhz);
}

}  // namespace bitpilot

// The worker's half of an energy measurement: runs networks back to back, rests, and notes when.
//
// The phase comes after the latencies are known and is told to the worker as a request of its own,
// so that nothing reads a meter while latencies are timed. What the source saw meanwhile is the
// daemon's business (energy_result.h).
#pragma once

#include <cstdint>

#include "device_daemon/energy/energy_clock.h"
#include "device_daemon/measurement/latency_sampler.h"
#include "device_daemon/measurement/measurement.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// How long each part of an energy phase lasts.
struct EnergyPlan {
  int rounds = 0;              // Windows of every network, interleaved.
  std::int64_t window_ns = 0;  // Least length of a window: the source's rule.
  std::int64_t idle_ns = 0;    // Each of the idle windows before and after.
  std::int64_t lead_ns = 0;    // The same load around every window, so that no edge sees another.

  // Of the whole phase.
  std::int64_t DurationNs(int num_networks) const;
};

// SCREEN: 2 windows, and idle windows no longer than they must be. STANDARD: 3, AUDIT: 5; both rest
// for at least 5 s before and after.
//
// min_window_ns, period_ns: of the source.
//
// REQUIRES: tier is one of the three.
EnergyPlan EnergyPlanFor(v1::MeasureSpec::Tier tier, std::int64_t min_window_ns,
                         std::int64_t period_ns);

// Idle window, rounds of a window of every network (every other round backward), idle window. Every
// output is compared with the golden one before and after. Never fails: what goes wrong is the
// result's status, which then has no windows. Times are those of `clock`.
//
// REQUIRES: request.measure() as for Measure(); latency_ns parallel to its networks.
v1::EnergyRunResult RunEnergyPhase(const v1::EnergyRunRequest& request,
                                   const MeasurementSetup& setup, MeasureClock& clock,
                                   const SleepFunction& sleep, const ProgressFunction& progress);

}  // namespace bitpilot

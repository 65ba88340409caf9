// From a trace of samples to the energy of a window, and from windows to the energy of one
// inference.
//
// Source of the rules: the window rule bounds the error at the window's two edges by 2 * period /
// window <= 1 %; gaps as EEMBC's EnergyRunner treats them (at most 0.1 % of the samples missing),
// but for a single one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "device_daemon/energy/energy_source.h"
#include "kernels/base/energy.h"
#include "kernels/base/status.h"

namespace bitpilot {

// The shortest window in which this source's energy may be stated: 2 s or 200 periods.
std::int64_t MinWindowNs(const EnergySourceInfo& source);

// Energy over [begin_ns, end_ns].
struct WindowEnergy {
  double energy_j = 0.0;
  double uncertainty_j = 0.0;  // Half-width, 95 %: instrument and edges.
  double seconds = 0.0;
  double power_w() const { return energy_j / seconds; }
};

// Integrates the trace's power over the window (trapezoids between the samples' own times; linear
// between samples at the edges), or takes the difference of its energy counter. Besides the
// instrument's accuracy, the uncertainty has what was drawn while nobody looked: between the
// samples around each edge, and in gaps that missing samples left.
//
// Errors:
//   kInvalidArgument  the window is shorter than MinWindowNs().
//   kDataCorrupt      the trace does not cover the window; times go back; two values at one time;
//                     in the window more than one sample and more than 0.1 % of them missing, or a
//                     gap of more than 3 periods (power only: a counter misses nothing); values
//                     that CheckPlausible() refuses; clocks aligned no better than 0.1 % of the
//                     window.
Result<WindowEnergy> IntegrateWindow(const EnergyTrace& trace, std::int64_t begin_ns,
                                     std::int64_t end_ns);

// The windows of one energy phase.
struct EnergyWindows {
  EnergySourceInfo source;
  std::vector<WindowEnergy> busy;
  std::vector<std::int64_t> inferences;  // Parallel to busy.
  WindowEnergy idle_before;
  WindowEnergy idle_after;
};

// Energy of one inference, with what speaks against it.
struct EnergyEstimate {
  MeasuredEnergy energy;
  double idle_power_w = 0.0;
  double latency_ns = 0.0;    // Of one inference, median over the windows.
  bool idle_shifted = false;  // Idle power changed by more than 3 %: there is no net figure.
};

// Energy per inference: the mean of 2 to 5 windows, the median of more (CenteredInterval95() in
// kernels/base/window_statistics.h). The uncertainty joins the windows' scatter with the
// instrument's and the edges' (of one window: they do not average out); that of net also with the
// difference of the two rests. experiments/energy_statistics shows how often it covers the truth.
//
// Errors: kInvalidArgument with fewer than two windows or with one without inferences; kDataCorrupt
// as MeasuredEnergy::Create().
Result<EnergyEstimate> EstimateEnergy(const EnergyWindows& windows);

}  // namespace bitpilot

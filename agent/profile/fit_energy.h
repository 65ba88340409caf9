// MODEL_FITTED: a formula for a board's energy, fitted to energies that a sensor measured there, so
// that boards of the same kind without a meter have an estimate; which is called a model
// everywhere.
//
//   energy = u1 x time by the board's table + u2 x products + u3 x weight bytes
//
// A product counts w x a / 64: one of 8 by 8 bits is 1. Coefficients are not negative: energy is
// drawn, never given back. Those that held-out networks do not ask for are 0; the error that is
// stated comes from networks that had no part in that choice either.
//
// Source: PowerJoular (Noureddine, 2022) fits per-board power models the same way, to a meter's
// readings.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/base/bit_assignment.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/energy.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// A network whose gross energy was measured.
struct EnergySample {
  BitAssignment assignment;
  MeasuredEnergy energy;
};

struct EnergyFit {
  double uj_per_ns = 0.0;  // of the time that the table predicts
  double uj_per_product = 0.0;
  double uj_per_weight_byte = 0.0;
  // 95 %, of a network that the fit has not seen: Student's t (num_networks - 3 degrees of freedom)
  // times the root mean square of the relative errors when each network is held out in turn, from
  // the fit and from the choice of its terms alike; joined with the sensor's own uncertainty. It holds
  // for networks like those fitted: of other widths or another topology nothing was held out.
  double relative_error = 0.0;
  double worst_relative_error = 0.0;  // of the held-out ones
  double r_squared = 0.0;
  int num_networks = 0;  // different assignments
  std::string sensor;    // tier and source of the measured energies
};

inline constexpr int kMinFittedNetworks = 6;
inline constexpr char kFittedEnergyUnit[] = "uJ-model-fitted";

// Repeated measurements of one assignment count as one, with their median. Relative errors are
// minimized.
//
// table: latencies of every operation at the samples' widths; its energies are not read.
//
// Errors:
//   kInvalidArgument  fewer than kMinFittedNetworks different assignments, or energies of different
//                     sensors: their scopes differ.
//   kNotFound         a row that the table lacks.
Result<EnergyFit> FitEnergy(const Topology& topology, const CostTable& table,
                            std::span<const EnergySample> samples);

// `table` with an energy at every row, in a model's unit; its source says what it was fitted to.
// Predictions of the result are those of the formula.
CostTable WithFittedEnergies(const Topology& topology, CostTable table, const EnergyFit& fit);

}  // namespace bitpilot

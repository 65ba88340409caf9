// Energy as the agent hears of it from a board: who measures, and what was measured.
//
// Nothing here can hold a model's figure: a reading is built around a MeasuredEnergy
// (kernels/base/energy.h), which only a sensor's name makes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/energy.h"

namespace bitpilot {

// What measures energy on a board, or why nothing does.
struct BoardEnergy {
  EnergyTier tier = EnergyTier::kNone;  // MODEL_FITTED or MODEL_TABLE of a model with energies
  std::string source;                   // e.g. "rapl:package-0"; empty exactly if nothing measures
  std::string scope;                    // what the source sees, and what it does not
  double window_s = 0.0;                // shortest window in which its energy may be stated
  std::string reason;                   // why nothing measures; empty if something does

  bool measures() const { return !source.empty(); }
};

// Under what an energy was measured.
struct EnergyConditions {
  std::string scope;
  std::string no_net_reason;  // why there is no net figure; empty if there is one
  double idle_power_w = 0.0;  // mean of before and after
  double latency_ns = 0.0;    // of one inference in the energy phase
  double window_s = 0.0;      // the shortest window
  std::uint64_t inferences = 0;
  std::uint64_t samples = 0;  // that the source gave during the whole phase
};

struct EnergyReading {
  MeasuredEnergy energy;
  std::vector<double> window_uj;  // gross energy of one inference in every window
  EnergyConditions conditions;
};

}  // namespace bitpilot

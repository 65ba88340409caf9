// Energies in the objects that `--json` prints.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "kernels/base/energy.h"

namespace bitpilot {

// Adds to `object`, for scripts; null where no sensor measured, whatever a model says:
//   energy_uj              gross energy of one inference, with energy_uncertainty_uj (95 %)
//   energy_net_uj          less what the board draws when idle, with energy_net_uncertainty_uj
//   energy_tier            "METER_EXTERNAL", "SENSOR_ONBOARD" or "NONE"
//   energy_source          e.g. "rapl:package-0", or "NONE"
//   energy_ratio_int8      of the gross energies, round by round (GrossRatio()), with
//                          energy_ratio_int8_uncertainty (95 %)
//   no_energy_reason       why there is none, if it was asked for; else null
void AddEnergy(const std::optional<MeasuredEnergy>& energy, const std::optional<EnergyRatio>& ratio,
               const std::string& no_energy_reason, nlohmann::json& object);

// {"value", "unit", "tier", "error", "table", "ratio_int8"} of a model's estimate; null unless
// `source` says that a model answered. The tier is MODEL_FITTED for a model that was fitted to
// measured energies, with the error (relative, 95 %) of that; else MODEL_TABLE, and null.
//
// source: "measured", or "MODEL:<table name>".
nlohmann::json ModelEnergyJson(const std::optional<ModelEnergy>& energy,
                               const std::optional<double>& ratio_int8, const std::string& source);

}  // namespace bitpilot

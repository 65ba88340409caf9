#include "agent/study/energy_ratios.h"

#include "agent/study/events.h"

namespace bitpilot {

std::optional<ModelEnergy> ModelEnergyOf(const MeasurementRow& row) {
  const Result<MeasurementConditions> conditions =
      ParseEvent<MeasurementConditions>(row.conditions);
  if (!conditions.ok() || !conditions->model_energy) return std::nullopt;
  return ModelEnergy{*conditions->model_energy, conditions->model_energy_unit};
}

EnergyRatios EnergyRatiosOf(const MeasurementRow& candidate, const MeasurementRow& uniform8) {
  EnergyRatios ratios;
  if (candidate.energy && uniform8.energy) {
    ratios.measured = GrossRatio(*candidate.energy, candidate.energy_window_uj, *uniform8.energy,
                                 uniform8.energy_window_uj);
    return ratios;
  }
  const std::optional<ModelEnergy> claimed = ModelEnergyOf(candidate);
  const std::optional<ModelEnergy> claimed8 = ModelEnergyOf(uniform8);
  if (claimed && claimed8 && claimed->unit == claimed8->unit && claimed8->value > 0.0) {
    ratios.model = claimed->value / claimed8->value;
  }
  return ratios;
}

}  // namespace bitpilot

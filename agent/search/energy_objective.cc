#include "agent/search/energy_objective.h"

#include "agent/study/events.h"

namespace bitpilot {
namespace {

// A model board's estimate; none if the row has no such figure.
std::optional<ModelEnergy> ModelEnergyOf(const MeasurementRow& row) {
  const Result<MeasurementConditions> conditions =
      ParseEvent<MeasurementConditions>(row.conditions);
  if (!conditions.ok() || !conditions->model_energy) return std::nullopt;
  return ModelEnergy{*conditions->model_energy, conditions->model_energy_unit};
}

Status NoEnergyToSearch(const BoardInfo& board) {
  return Unsupported(
      "--energy search and --max-energy need a board that measures energy; board \"" + board.name +
      "\" does not: " + board.energy.reason + ". Give it a meter (--meter), or permit its sensor " +
      "(bitpilotd check)");
}

}  // namespace

Status CheckEnergyCanBeSearched(const SearchConfig& config, const BoardInfo& board) {
  if (!SearchesEnergy(config) || board.energy.measures() || board.is_model()) return Status();
  return NoEnergyToSearch(board);
}

Result<EnergyObjective> ChooseEnergyObjective(const SearchConfig& config, const BoardInfo& board,
                                              const MeasurementRow& uniform8) {
  if (!SearchesEnergy(config)) return EnergyObjective::kNone;
  if (board.energy.measures()) return EnergyObjective::kMeasured;
  if (board.is_model() && ModelEnergyOf(uniform8)) return EnergyObjective::kModel;
  return NoEnergyToSearch(board);
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

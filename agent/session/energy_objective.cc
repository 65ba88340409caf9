#include "agent/session/energy_objective.h"

#include "agent/study/energy_ratios.h"

namespace bitpilot {
namespace {

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

}  // namespace bitpilot

// Which energy a search minimizes.
#pragma once

#include "agent/fleet/board.h"
#include "agent/study/search_config.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Before anything is measured: whether the board has what `config` asks for. Of a model board only
// its answers say.
//
// Errors: kUnsupported with the board's reason.
Status CheckEnergyCanBeSearched(const SearchConfig& config, const BoardInfo& board);

// None unless `config` asks for it. Otherwise what the board's sensor or meter measures or, on a
// model board, what its table claims. Nothing stands in for a measurement that cannot be made.
//
// uniform8: the board's answer for the reference.
//
// Errors: kUnsupported with the board's reason if it neither measures nor, as a model, estimates.
Result<EnergyObjective> ChooseEnergyObjective(const SearchConfig& config, const BoardInfo& board,
                                              const MeasurementRow& uniform8);

}  // namespace bitpilot

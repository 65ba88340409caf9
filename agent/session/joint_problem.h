// The one cost table that decisions on several classes use.
#pragma once

#include <vector>

#include "agent/study/events.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"
#include "policies/search_problem.h"

namespace bitpilot {

// The class whose reference gives ratios their scale: the objective's own, else the first.
//
// REQUIRES: the objective's class is among them.
const ClassFacts& ScaleOf(const ClassObjective& objective, const std::vector<ClassFacts>& classes);

// Of one class, as the objective says, its own table. Else every row is the mean over the classes of what
// it is of uniform 8 bit's time there, on the scale of ScaleOf(): what is predicted is a mean also where
// the objective is the worst class, which measurements then say. Energies are there if all classes have
// them. A pair that a class lacks is left out.
//
// Errors: those of ParseCostTable() and PredictCost(), with the class.
Result<CostTable> JointTable(const Topology& topology, const ClassObjective& objective,
                             const std::vector<ClassFacts>& classes);

}  // namespace bitpilot

// The rows of a model board's table that only the board holds (a daemon of a fleet with `--backend
// model:TABLE`), from its answers.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "agent/fleet/board.h"
#include "agent/profile/missing_pairs.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct ModelAnswers {
  CostTable table;  // without energies: a model states them for whole networks
  int asked = 0;    // pairs of widths, one uniform network each
  std::set<WidthPair> unanswered;
  std::string first_failure;  // "w2a4: UNSUPPORTED ..."; empty if all were answered
};

// Asks for one uniform network of each pair of widths, 8 x 8 first. A model's times are its table's:
// rows are taken as they are told, and what a network takes beyond its operations is the overhead.
//
// Errors: the board's; kUnavailable if it has no time of uniform 8 bit; kAborted if `stop` became
// true.
Result<ModelAnswers> AskModel(
    const Topology& topology, const SearchWidths& widths, Board& board,
    const std::function<bool()>& stop,
    const std::function<void(int done, int total, const std::string& note)>& progress);

}  // namespace bitpilot

// What can be known before anything is loaded or measured: that no candidate can keep a budget, or
// that a model board's table does not reach.
#pragma once

#include "agent/device/board_choice.h"
#include "agent/model/model_definition.h"
#include "agent/study/search_config.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Errors: kInvalidArgument if the smallest network of the search's widths is above --max-size.
Status CheckSizeBudget(const Topology& topology, const SearchConfig& config);

// Errors: kInvalidArgument if the table lacks a reference (uniform 8 and 4 bit), or a layer at
// every width of the search; if its latencies allow no candidate to keep --max-latency, or its
// energies none to keep --max-energy; if energy is an objective and it has none.
Status CheckModelBoard(const CostTable& table, const Topology& topology,
                       const SearchConfig& config);

// The board that `config` names.
BoardChoice BoardChoiceOf(const SearchConfig& config);

// Weights, images and the teacher's weights need not wait for the board, nor for LibTorch, to be
// not there. They and a model board's table must be files or folders: a search reads them for their
// hash, for itself and when it is resumed.
//
// Errors: CheckCanBeReadAgain()'s, WeightsFile()'s and FindTeacher()'s; names the flag.
Status CheckInputsAreThere(const SearchConfig& config);

// All of the above, and what else is known of a new search: first what the flags say alone, then the
// files of the board, then whether weights and images are there. Returns its network.
//
// Errors: of the first of these that is wrong; names the flag.
Result<ModelDefinition> CheckNewSearch(const SearchConfig& config);

}  // namespace bitpilot

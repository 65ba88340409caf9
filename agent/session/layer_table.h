// The board's own table: what every operation takes at every width, from per-operation times of
// uniform networks.
#pragma once

#include <functional>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/results/search_observer.h"
#include "agent/study/journal.h"
#include "agent/study/search_config.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Measures uniform networks with random weights (integer kernels take the same time for all data),
// one for each pair of config.weight_widths x config.activation_widths and one at 8 bits, until
// config.table_seconds of board time are used; a model board is asked for all of them. Within a
// network the operations' times are scaled so that they add up to the whole inference; a pair met
// in several networks is charged its median. A pair that was not reached stands for the next wider
// one that was; the table's source says how many were measured.
//
// board: null in a verification, where the journal answers.
//
// Errors: the journal's and the board's; kUnavailable if the 8-bit network could not be measured.
Result<CostTable> MeasureLayerTable(const Topology& topology, const SearchConfig& config,
                                    Board* board, Journal& journal, SearchObserver& observer,
                                    const std::function<bool()>& stop);

}  // namespace bitpilot

// The board's table for one search: the cost table that its decisions use, as the study keeps it.
#pragma once

#include <functional>
#include <string>

#include "agent/fleet/board.h"
#include "agent/results/search_observer.h"
#include "agent/study/events.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct TableFacts {
  std::string text;  // in the cost table's format
  TableOrigin origin = TableOrigin::kUnknown;
  double board_seconds = 0.0;  // that it took now
  // Why the board, a model, has no time of uniform 4 bit; empty: it has one.
  std::string no_uniform4;
};

// The table of `--device model:TABLE` itself; of any other board agent/profile/search_table.h's, for
// the widths of `config` and within config.table_seconds. What is told names the class `on`, of which the
// board is one, if it has a name.
//
// Errors: TableOfBoard()'s, ReadModelBoard()'s.
Result<TableFacts> BoardTable(const Topology& topology, const SearchConfig& config,
                              const ClassId& on, Board& board, SearchObserver& observer,
                              const std::function<bool()>& stop);

}  // namespace bitpilot

// The board's table as a search needs it: measured within a bounded time, and kept from one search to
// the next.
//
// Kept are the raw measurements of a bounded profile (agent/profile/profile_data.h), one file for
// each class of boards, network and set of widths, in CacheFolder() + "/tables". A later search on
// any board of the class uses them, and goes on where its own bound is higher. A file is written
// whole or not at all, so that searches at the same time do no harm: the last one's stays. Removing
// one, or all, only costs the time to measure again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/profile/missing_pairs.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct SearchTableOptions {
  SearchWidths widths;
  // Of board time, all searches that the kept file remembers together. The first eight networks are
  // always measured.
  double max_board_seconds = 30.0;
  std::string cache_folder;  // empty: nothing is kept
  std::function<bool()> stop;
  // Networks measured so far, of all; `note` says how the last measurement went.
  std::function<void(int done, int total, const std::string& note)> progress;
  std::function<void(const std::string&)> notice;  // what the user should know
};

struct SearchTable {
  CostTable
      table;  // with a row for every pair of the search's widths (agent/profile/missing_pairs.h)
  bool of_model = false;           // a model's rows, not measured
  double board_seconds = 0.0;      // that this call took; 0: all of it was kept, or is a model's
  std::vector<PairKey> stand_ins;  // pairs without a time of their own
};

// $XDG_CACHE_HOME/bitpilot/tables, or below ~/.cache; empty without either.
std::string TableCacheFolder();

// The file that keeps the table of such boards: named by the network and a hash of the class
// fingerprint (CPU, core, instruction set, system, builds, ...), the topology and the widths.
std::string TableCacheFile(const std::string& folder, const Topology& topology,
                           const BoardInfo& board, const std::vector<int>& bits);

// Takes the table from the cache or measures it. A kept file that is damaged or another board's is
// told and measured anew; one that cannot be written is told once. A model board is asked for each
// pair once, in uniform networks, whatever the time; nothing of it is kept; pairs that it cannot
// answer are told.
//
// Errors: those of MeasureProfile(); kUnavailable if a model board has no time of uniform 8 bit.
Result<SearchTable> TableOfBoard(const Topology& topology, const SearchTableOptions& options,
                                 Board& board);

// The same where the agent holds the model board's table itself (`--device model:TABLE`): that is
// the answer, energies included, with stand-ins for pairs that it lacks, which are told.
SearchTable TableOfModel(const Topology& topology, const SearchTableOptions& options,
                         CostTable table);

}  // namespace bitpilot

// A against B on a board (kernels/versus/versus.h), outside any study.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "kernels/versus/versus.h"

namespace bitpilot {

// Errors: kUnsupported, with what to do, if the board answers from a table: nothing is measured in it.
Status CheckMeasures(const Board& board);

struct VersusJob {
  const Network* a = nullptr;
  const Network* b = nullptr;
  bool is_long = false;  // windows four times as long
  bool energy = false;   // each block measures it, after its latencies
  // Hears of blocks and of their repetitions.
  std::function<void(const std::string&)> notice;
  // Hears of two copies of A, before anything of B is measured.
  std::function<void(const std::vector<VersusBlock>&)> on_same;
};

struct BoardVersus {
  VersusBlocks blocks;
  // Of the last block, or of the last one that stayed NOISY: the conditions of the comparison.
  Measurement measurement;
  std::vector<std::string> kernels;  // of A, [num_operations]
};

// Each block is one measurement with CompareOnBoard() (agent/results/board_comparison.h): again while
// it is NOISY.
//
// Errors: kUnsupported if the board answers from a table, which has no rounds; kInvalidArgument if A
// and B are of different tasks; CompareOnBoard()'s.
Result<BoardVersus> CompareVersusOnBoard(Board& board, const VersusJob& job);

}  // namespace bitpilot

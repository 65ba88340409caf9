// A model board: a table that answers in place of a board, as `--device model:TEXT` names it.
#pragma once

#include <string>

#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Reads the table that TEXT means: the file of that name if there is one (a profile's lut.json,
// agent/profile/lut.h, or a cost table, kernels/base/cost_table.h), else the shipped board of that
// name, e.g. "zen5_avx2_resnet20" (experiments/boards/README.md). Shipped boards, NAME.cost, are
// looked for in the first of these folders that exists:
//   $BITPILOT_BOARDS_DIR, if set (then in no other);
//   ../share/bitpilot/boards beside the running program's folder, where `cmake --install` puts it;
//   experiments/boards of the source tree that the program was built from.
//
// Errors:
//   kInvalidArgument  neither; a text that could be a board's name gets the list of those that
//   there
//                     are.
//   Also ReadFile()'s, ParseLut()'s and ParseCostTable()'s, with the file's name.
Result<CostTable> ReadModelBoard(const std::string& text);

}  // namespace bitpilot

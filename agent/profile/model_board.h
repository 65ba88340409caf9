// A model board: a table that answers in place of a board, as `--device model:TEXT` names it.
#pragma once

#include <string>

#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Reads the table that TEXT means (FindModelBoardFile(), kernels/base/model_board_file.h): a profile's
// lut.json (agent/profile/lut.h) or a cost table (kernels/base/cost_table.h).
//
// Errors: FindModelBoardFile()'s and ReadTextFile()'s; kDataCorrupt, with the file's name, for what
// ParseLut() and ParseCostTable() refuse.
Result<CostTable> ReadModelBoard(const std::string& text);

}  // namespace bitpilot

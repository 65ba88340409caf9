// The file of a model board: a table that answers in place of a board, as `bitpilot search --device
// model:TEXT` and `bitpilotd serve --backend model:TEXT` name it.
#pragma once

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// The path of the table that TEXT means: the file of that name if there is one, else the shipped
// board of that name, e.g. "zen5_avx2_resnet20" (experiments/boards/README.md). Shipped boards,
// NAME.cost, are looked for in the first of these folders that exists:
//   $BITPILOT_BOARDS_DIR, if set (then in no other);
//   ../share/bitpilot/boards beside the running program's folder, where `cmake --install` puts it;
//   experiments/boards of the source tree that the program was built from.
//
// Errors:
//   kNotFound         a path (with a folder or an ending) at which there is no file.
//   kInvalidArgument  else, with the list of the boards that there are.
Result<std::string> FindModelBoardFile(const std::string& text);

}  // namespace bitpilot

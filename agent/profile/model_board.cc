#include "agent/profile/model_board.h"

#include "agent/profile/lut.h"
#include "kernels/base/model_board_file.h"
#include "kernels/base/text_file.h"

namespace bitpilot {

Result<CostTable> ReadModelBoard(const std::string& text) {
  const Result<std::string> path = FindModelBoardFile(text);
  if (!path.ok()) return path.status();
  const Result<std::string> content = ReadTextFile(*path);
  if (!content.ok()) return content.status();
  const std::size_t first = content->find_first_not_of(" \t\r\n");
  if (first == std::string::npos || (*content)[first] != '{') {
    Result<CostTable> table = ParseCostTable(*content);
    if (!table.ok()) return table.status().WithContext(*path).AsCorruptInput();
    return table;
  }
  const Result<Lut> lut = ParseLut(*content);
  if (!lut.ok()) return lut.status().WithContext(*path).AsCorruptInput();
  return ToCostTable(*lut);
}

}  // namespace bitpilot

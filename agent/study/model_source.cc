#include "agent/study/model_source.h"

namespace bitpilot {

bool IsModelSource(std::string_view source) { return source.starts_with("MODEL"); }

std::string ModelSourceOf(const std::vector<FinalRow>& rows) {
  for (const FinalRow& row : rows) {
    if (IsModelSource(row.source)) return row.source;
  }
  return "";
}

}  // namespace bitpilot

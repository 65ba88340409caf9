#include "agent/study/model_source.h"

#include <algorithm>

namespace bitpilot {

bool IsModelSource(std::string_view source) { return source.starts_with("MODEL"); }

bool IsModelRow(const FinalEvent& final, const FinalRow& row) {
  const bool is_of_all = row.on.empty() && !final.classes.empty();
  if (!is_of_all) return IsModelSource(row.source);
  return std::any_of(final.classes.begin(), final.classes.end(),
                     [](const ClassFinal& one) { return !ModelSourceOf(one.rows).empty(); });
}

std::string ModelSourceOf(const std::vector<FinalRow>& rows) {
  for (const FinalRow& row : rows) {
    if (IsModelSource(row.source)) return row.source;
  }
  return "";
}

}  // namespace bitpilot

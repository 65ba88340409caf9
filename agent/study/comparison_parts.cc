#include "agent/study/comparison_parts.h"

#include <map>
#include <string>
#include <vector>

#include "kernels/base/joined.h"

namespace bitpilot {

std::string DescribeParts(const FinalEvent& final) {
  std::map<int, std::vector<std::string>> members;
  for (std::size_t i = 1; i < final.rows.size(); ++i) {  // rows[0] is uniform 8 bit
    const FinalRow& row = final.rows[i];
    if (!row.no_figures_reason.empty()) continue;  // was in no part
    members[row.part].push_back(row.label);
  }
  if (members.size() < 2) return {};
  std::string text =
      "the board took the comparison in " + std::to_string(members.size()) +
      " parts, uniform 8 bit in each; nothing is said of who is faster in different parts";
  for (const auto& [part, labels] : members) {
    text += (part == members.begin()->first ? ": " : "; ") + std::string("part ") +
            std::to_string(part) + ": " + Joined(labels);
  }
  return text;
}

}  // namespace bitpilot

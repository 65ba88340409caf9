#include "agent/search/ratio_interval.h"

#include <algorithm>
#include <vector>

namespace bitpilot {

MedianInterval RatioOfRounds(std::span<const double> candidate_ns,
                             std::span<const double> reference_ns) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < std::min(candidate_ns.size(), reference_ns.size()); ++round) {
    ratios.push_back(candidate_ns[round] / reference_ns[round]);
  }
  return SignTestInterval(ratios);
}

}  // namespace bitpilot

#include "agent/search/speed_claims.h"

#include <cstddef>
#include <string>

#include "kernels/base/check.h"
#include "kernels/base/round_comparison.h"

namespace bitpilot {
namespace {

bool IsMeasured(const MeasurementRow& row) {
  return row.latency_median_ns.has_value() && row.source == "measured";
}

RoundComparison Compare(const MeasurementRow& row, const MeasurementRow& reference,
                        int num_comparisons) {
  return CompareRounds(TimesToCompare(row.window_ns, row.window_cpu_ns),
                       TimesToCompare(reference.window_ns, reference.window_cpu_ns),
                       num_comparisons);
}

}  // namespace

MedianInterval RatioOf(const MeasurementRow& row, const MeasurementRow& reference) {
  return RatioOfRounds(TimesToCompare(row.window_ns, row.window_cpu_ns),
                       TimesToCompare(reference.window_ns, reference.window_cpu_ns));
}

void JudgeSpeeds(const std::vector<MeasurementRow>& rows, std::vector<FinalRow>& finals) {
  BITPILOT_CHECK(rows.size() == finals.size());
  std::vector<std::size_t> measured;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (IsMeasured(rows[i])) measured.push_back(i);
  }
  const auto num_pairs = static_cast<int>(measured.size() * (measured.size() - 1) / 2);
  for (const std::size_t i : measured) {
    for (const std::size_t j : measured) {
      if (i == j) continue;
      const RoundComparison comparison = Compare(rows[i], rows[j], num_pairs);
      if (comparison.speed == Speed::kNoDifference) {
        finals[i].as_fast_as.push_back(finals[j].label);
      }
      if (j != 0) continue;
      finals[i].speed = ToString(comparison.speed);
      finals[i].speed_p_value = comparison.p_value;
    }
  }
}

}  // namespace bitpilot

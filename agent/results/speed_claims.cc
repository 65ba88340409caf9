#include "agent/results/speed_claims.h"

#include <cstddef>
#include <string>

#include "kernels/base/check.h"
#include "kernels/base/round_comparison.h"

namespace bitpilot {
namespace {

struct Member {
  const MeasurementRow* row = nullptr;
  std::size_t index = 0;  // in the table; 0: uniform 8 bit, which is in every part
};

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

void JudgeSpeeds(const InterleavedRows& compared, int num_tables, std::vector<FinalRow>& finals) {
  BITPILOT_CHECK(compared.rows.size() == finals.size() && num_tables >= 1);
  std::vector<std::vector<Member>> parts(compared.uniform8.size());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (IsMeasured(compared.uniform8[part])) parts[part].push_back({&compared.uniform8[part], 0});
  }
  for (std::size_t i = 1; i < compared.rows.size(); ++i) {
    if (IsMeasured(compared.rows[i])) parts[compared.parts[i]].push_back({&compared.rows[i], i});
  }
  std::size_t num_pairs = 0;
  for (const std::vector<Member>& part : parts) num_pairs += part.size() * (part.size() - 1) / 2;
  for (const std::vector<Member>& part : parts) {
    for (const Member& one : part) {
      for (const Member& other : part) {
        if (one.index == other.index) continue;
        const RoundComparison comparison =
            Compare(*one.row, *other.row, num_tables * static_cast<int>(num_pairs));
        FinalRow& final = finals[one.index];
        if (comparison.speed == Speed::kNoDifference) {
          final.as_fast_as.push_back(static_cast<int>(other.index));
        }
        if (other.index != 0) continue;
        final.speed = comparison.speed;
        final.speed_p_value = comparison.p_value;
      }
    }
  }
}

}  // namespace bitpilot

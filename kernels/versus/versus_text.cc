#include "kernels/versus/versus_text.h"

#include <cmath>
#include <cstdio>

#include "kernels/versus/found_difference.h"

namespace bitpilot {
namespace {

std::string DescribePair(const PairVerdict& pair) {
  char text[96];
  std::snprintf(text, sizeof text, "%.4fx (%.4f..%.4f), %d rounds", pair.ratio(), pair.low,
                pair.high, pair.num_rounds);
  return text;
}

}  // namespace

std::string VersusWord(Speed speed, VersusQuantity quantity) {
  if (quantity == VersusQuantity::kTime || speed == Speed::kNoDifference) {
    return std::string(ToString(speed));
  }
  return speed == Speed::kFaster ? "less" : "more";
}

std::string WhyNoVerdict(const VersusVerdict& verdict) {
  return verdict.speed ? "" : "two copies of A were told apart, so B may be, too, for no reason";
}

std::string DescribeSame(const PairVerdict& same, VersusQuantity quantity) {
  const std::string what = quantity == VersusQuantity::kTime ? "time" : "energy";
  return "two copies of A, " + what + ": " + DescribePair(same) + ": " +
         (same.rounds.speed == Speed::kNoDifference ? "no difference, as it must be"
                                                    : "told apart, though they are one network");
}

std::string DescribeDifferent(const VersusVerdict& verdict, VersusQuantity quantity) {
  const bool is_time = quantity == VersusQuantity::kTime;
  const std::string begin = std::string("A to B, ") + (is_time ? "time" : "energy") + ": " +
                            DescribePair(verdict.different) + ": ";
  if (!verdict.speed) return begin + "no verdict, as " + WhyNoVerdict(verdict);
  if (*verdict.speed == Speed::kNoDifference) return begin + "no difference seen";
  return begin + (is_time ? "A is " : "A needs ") + VersusWord(*verdict.speed, quantity);
}

std::string DescribeLatencies(const VersusLatencies& latencies) {
  char text[96];
  std::snprintf(text, sizeof text, "A takes %.2f us, B %.2f us", latencies.a_ns / 1e3,
                latencies.b_ns / 1e3);
  return text;
}

std::string DescribeSmallestDifference(const VersusVerdict& verdict) {
  char text[160];
  if (verdict.smallest_difference) {
    std::snprintf(text, sizeof text,
                  "differences from %.1f %% on are found in %.0f of 100 comparisons like this one; "
                  "smaller ones may be missed",
                  std::ceil(*verdict.smallest_difference * 1e3) / 10.0, kStatedPower * 100.0);
  } else {
    std::snprintf(text, sizeof text,
                  "rounds of two copies scatter too much, or are too few, to say how small a "
                  "difference is found in %.0f of 100 comparisons",
                  kStatedPower * 100.0);
  }
  return text;
}

}  // namespace bitpilot

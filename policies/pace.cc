#include "policies/pace.h"

#include <algorithm>
#include <cstddef>

#include "kernels/base/check.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

double ShareWithin(const View::Stretch& stretch, double peak, int spent) {
  if (spent >= stretch.end) return 0.0;
  if (spent <= stretch.begin) return peak;
  return peak * PlainHalfCosine(static_cast<double>(spent - stretch.begin) /
                                (stretch.end - stretch.begin));
}

}  // namespace

double RateShareAt(const View& view, int spent) {
  const std::vector<View::Stretch>& stretches = view.stretches();
  BITPILOT_CHECK(!stretches.empty() && spent >= 0);
  double peak = 1.0;
  for (std::size_t i = 0; i + 1 < stretches.size() && spent >= stretches[i + 1].begin; ++i) {
    peak = std::max(kExtensionRate, ShareWithin(stretches[i], peak, stretches[i + 1].begin));
    if (i + 2 == stretches.size() || spent < stretches[i + 2].begin) {
      return ShareWithin(stretches[i + 1], peak, spent);
    }
  }
  return ShareWithin(stretches.front(), peak, spent);
}

Pace PaceOf(const View& view, int batches, int ahead) {
  BITPILOT_CHECK(batches >= 0 && ahead >= 0);
  const int begin = view.mini_batches_submitted() + ahead;
  const int left = std::max(0, view.mini_batches_left() - ahead);
  Pace pace;
  pace.batches = std::min(batches, left);
  pace.rate_begin = RateShareAt(view, begin);
  pace.rate_end = RateShareAt(view, begin + pace.batches);
  return pace;
}

}  // namespace bitpilot

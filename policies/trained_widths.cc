#include "policies/trained_widths.h"

#include <algorithm>
#include <cstddef>

#include "kernels/base/check.h"

namespace bitpilot {

TrainedWidths TrainedWidths::After(const Choice& choice, int batches) const {
  BITPILOT_CHECK(batches >= 0);
  TrainedWidths after = *this;
  if (batches == 0) return after;
  after.depth_ += batches;
  after.batches_.resize(choice.size());
  for (std::size_t i = 0; i < choice.size(); ++i) after.batches_[i][choice[i]] += batches;
  return after;
}

double TrainedWidths::OwnShare(const Choice& choice) const {
  if (depth_ == 0) return 1.0;
  BITPILOT_CHECK(choice.size() == batches_.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const auto own = batches_[i].find(choice[i]);
    const int at_own = own == batches_[i].end() ? 0 : own->second;
    sum += std::max(0, 2 * at_own - depth_) / static_cast<double>(depth_);
  }
  return choice.empty() ? 1.0 : sum / static_cast<double>(choice.size());
}

}  // namespace bitpilot

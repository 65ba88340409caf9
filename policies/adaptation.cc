#include "policies/adaptation.h"

#include <cstdlib>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// K of two positions.
double Kernel(int a, int b) {
  double value = 1.0;
  for (int distance = std::abs(a - b); distance > 0; --distance) value *= 0.25;
  return value;
}

}  // namespace

Adaptation::Adaptation(const WidthIndex& index)
    : index_(&index), adapted_(AsIndex(index.num_widths())) {
  for (int i = 0; i < index.num_variables(); ++i) {
    const std::vector<int>& widths = index.widths(i);
    int nearest = 0;
    for (int k = 1; k < static_cast<int>(widths.size()); ++k) {
      if (std::abs(widths[AsIndex(k)] - 8) <= std::abs(widths[AsIndex(nearest)] - 8)) nearest = k;
    }
    for (int k = 0; k < static_cast<int>(widths.size()); ++k) {
      adapted_[AsIndex(index.At(i, k))] = Kernel(k, nearest);
    }
  }
}

Adaptation Adaptation::After(const Choice& choice, double batches, double tau) const {
  BITPILOT_CHECK(batches >= 0.0 && tau > 0.0);
  const double share = 1.0 - PlainExp(-batches / tau);
  Adaptation after = *this;
  for (int i = 0; i < index_->num_variables(); ++i) {
    const int trained = index_->Position(i, choice[AsIndex(i)]);
    for (int k = 0; k < static_cast<int>(index_->widths(i).size()); ++k) {
      double& adapted = after.adapted_[AsIndex(index_->At(i, k))];
      adapted += share * (Kernel(k, trained) - adapted);
    }
  }
  return after;
}

std::vector<double> Adaptation::Missing(const Choice& choice) const {
  std::vector<double> missing;
  missing.reserve(choice.size());
  for (int i = 0; i < index_->num_variables(); ++i) {
    missing.push_back(1.0 - adapted_[AsIndex(index_->Of(i, choice[AsIndex(i)]))]);
  }
  return missing;
}

}  // namespace bitpilot

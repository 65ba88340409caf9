#include "policies/adaptation.h"

#include <algorithm>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// The width whose quantization leaves float weights as they are, as far as the loss can tell.
constexpr int kFloatLikeBits = 8;

// By width, 0 to 8. From 4 bits on the square of the distance to 8 falls with the power of the noise, to a
// quarter with each bit: 1 - (w / 8)^2 is .75 at 4 bits, .19, .05 and .01 above.
constexpr double kEffectiveWidth[] = {
    0.0, 1.0, 2.0, 3.0, 4.0, 7.211102550927978, 7.810249675906654, 7.952986860293433, 8.0};

// K of two widths: the square of their ratio.
double Kernel(int a, int b) {
  const double first = kEffectiveWidth[AsIndex(a)];
  const double second = kEffectiveWidth[AsIndex(b)];
  const double ratio = std::min(first, second) / std::max(first, second);
  return ratio * ratio;
}

}  // namespace

Adaptation::Adaptation(const WidthIndex& index)
    : index_(&index), adapted_(AsIndex(index.num_widths())) {
  for (int i = 0; i < index.num_variables(); ++i) {
    for (const int width : index.widths(i)) {
      adapted_[AsIndex(index.Of(i, width))] = Kernel(width, kFloatLikeBits);
    }
  }
}

Adaptation Adaptation::After(const Choice& choice, double batches, double tau) const {
  BITPILOT_CHECK(batches >= 0.0 && tau > 0.0);
  const double share = 1.0 - PlainExp(-batches / tau);
  Adaptation after = *this;
  for (int i = 0; i < index_->num_variables(); ++i) {
    for (const int width : index_->widths(i)) {
      double& adapted = after.adapted_[AsIndex(index_->Of(i, width))];
      adapted += share * (Kernel(width, choice[AsIndex(i)]) - adapted);
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

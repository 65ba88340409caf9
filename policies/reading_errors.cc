#include "policies/reading_errors.h"

#include <cmath>

#include "kernels/base/check.h"

namespace bitpilot {

double ReadingErrors::Take(double excess, double standard_error) {
  BITPILOT_CHECK(standard_error >= 0.0);
  if (standard_error == 0.0) return Expected(excess);
  squares_ += standard_error * standard_error;
  excesses_ += std::abs(excess) + kLeastExcess;
  return standard_error;
}

double ReadingErrors::Expected(double excess) const {
  return std::sqrt(squares_ / excesses_ * (std::abs(excess) + kLeastExcess));
}

}  // namespace bitpilot

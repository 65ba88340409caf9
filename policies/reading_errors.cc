#include "policies/reading_errors.h"

#include <cmath>

#include "kernels/base/check.h"

namespace bitpilot {

double ReadingErrors::Take(double standard_error) {
  BITPILOT_CHECK(standard_error >= 0.0);
  if (standard_error == 0.0) return expected();
  sum_of_squares_ += standard_error * standard_error;
  weight_ += 1.0;
  return standard_error;
}

double ReadingErrors::expected() const { return std::sqrt(sum_of_squares_ / weight_); }

}  // namespace bitpilot

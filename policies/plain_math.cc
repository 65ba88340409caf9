#include "policies/plain_math.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// ln 2 in two parts; the high one has 32 significant bits, so that k * kLn2High is exact for |k| <
// 2^20.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kInverseLn2 = 0x1.71547652b82fep+0;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// 2^exponent. REQUIRES: -1022 <= exponent <= 1023.
double PowerOfTwo(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

}  // namespace

double PlainExp(double x) {
  if (x != x) {
    return kNaN;
  }
  if (x > 0x1.62e42fefa39efp+9) {  // ln of the largest double
    return kInfinity;
  }
  if (x < -0x1.6232bdd7abcd2p+9) {  // ln of the smallest normal double
    return 0.0;
  }
  // x = k ln 2 + r with |r| <= ln 2 / 2, then e^x = 2^k e^r.
  const int k = static_cast<int>(x * kInverseLn2 + (x < 0.0 ? -0.5 : 0.5));
  const double high = x - k * kLn2High;
  const double low = k * kLn2Low;
  const double r = high - low;
  const double error = (high - r) - low;  // what rounding r lost
  // Taylor series of e^r - 1 - r by Horner's rule: 0.35^15 / 15! is far below half an ulp.
  double tail = 1.0 / 87178291200.0;  // 1 / 14!
  for (const double coefficient :
       {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0,
        1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5}) {
    tail = tail * r + coefficient;
  }
  const double exponential = 1.0 + (r + (error + tail * r * r));
  // Two factors, because 2^1024 is not a double although e^r 2^1024 with e^r < 1 is one.
  const int half = k / 2;
  return exponential * PowerOfTwo(half) * PowerOfTwo(k - half);
}

double PlainLog(double x) {
  if (x != x || x < 0.0) {
    return kNaN;
  }
  if (x == 0.0) {
    return -kInfinity;
  }
  if (x == kInfinity) {
    return kInfinity;
  }
  int exponent = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    exponent = -54;
  }
  // x = 2^exponent m with m in [1/sqrt(2), sqrt(2)).
  const auto bits = std::bit_cast<std::uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFU) | 0x3FF0000000000000U);
  if (m >= 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    exponent += 1;
  }
  // ln m = 2 artanh(s) with s = f / (2 + f), f = m - 1, |s| <= 0.172:
  // 2 s + s * R, R = 2 (s^2 / 3 + s^4 / 5 + ...). As 2 s = f - s f, ln m = f - (f^2/2 - s (f^2/2 +
  // R)).
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double series = 2.0 / 23.0;
  for (const double denominator : {21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0}) {
    series = series * z + 2.0 / denominator;
  }
  const double remainder = series * z;
  const double half_square = 0.5 * f * f;
  return exponent * kLn2High -
         ((half_square - (s * (half_square + remainder) + exponent * kLn2Low)) - f);
}

double PlainHalfCosine(double t) {
  BITPILOT_CHECK(t >= 0.0 && t <= 1.0);
  if (t == 0.0 || t == 1.0) {
    return 1.0 - t;
  }
  // cos(pi t) = -sin(y), y = pi (t - 1/2), |y| <= pi / 2, by the Taylor series of sin(y) / y: (pi / 2)^26
  // / 27! is far below half an ulp.
  const double y = 0x1.921fb54442d18p+1 * (t - 0.5);
  const double z = y * y;
  double series = 1.0;
  for (int n = 24; n >= 2; n -= 2) {
    series = 1.0 - series * z / (n * (n + 1));
  }
  return std::clamp(0.5 - 0.5 * (y * series), 0.0, 1.0);
}

}  // namespace bitpilot

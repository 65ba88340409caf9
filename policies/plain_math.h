// Exponential and logarithm in plain float64 code: the same bits on every machine.
//
// The C library may compute exp() and log() differently from one version or CPU to the next, and a
// last bit can turn a decision. These use only operations that IEEE 754 rounds exactly (+ - * / and
// conversions) in a fixed order; the build forbids contraction (-ffp-contract=off). std::sqrt() is
// exact too and is used as it is.
#pragma once

namespace bitpilot {

// e^x within 2 ulp. +infinity above 709.78, 0 below -708.39 (results that would be subnormal are
// 0), NaN for NaN.
double PlainExp(double x);

// Natural logarithm within 2 ulp. -infinity for 0, NaN for negative x and NaN, +infinity for
// +infinity.
double PlainLog(double x);

}  // namespace bitpilot

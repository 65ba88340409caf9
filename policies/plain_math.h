// Exponential, logarithm and half a cosine in plain float64 code: the same bits on every machine.
//
// The C library may compute exp(), log() and cos() differently from one version or CPU to the next, and a
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

// (1 + cos(pi t)) / 2 within 2^-52: exactly 1 at 0 and 0 at 1, never outside [0, 1].
//
// REQUIRES: t in [0, 1].
double PlainHalfCosine(double t);

}  // namespace bitpilot

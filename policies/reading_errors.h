// ReadingErrors: how far readings of the loss are off by the images that they are read on, so far, and
// how far the next one is expected to be.
//
// Narrow widths are read with larger errors than wide ones: few images lose much, and the variance of a
// difference to 8 bit grows with it,
//
//   variance = c (|excess| + kLeastExcess)
//
// as of ResNet-8 read on the sample (experiments/predictive_intervals): .009 nats at an excess of .01,
// .023 at .13, .037 at .45, .044 at .6. c is the sum of squared errors over the sum of |excess| +
// kLeastExcess, which begins as if kFirstWeight readings with an error of kFirstError had been made at
// kFirstExcess. What the model of losses cannot say is not in it (LossBelief::ReadingVariance()).
#pragma once

namespace bitpilot {

class ReadingErrors {
 public:
  static constexpr double kLeastExcess = 0.0125;  // nats, as all but the weight
  static constexpr double kFirstError = 0.012;
  static constexpr double kFirstExcess = 0.03;
  static constexpr double kFirstWeight = 4.0;  // readings

  // Takes in a reading and its standard error, each reading once, and returns the error that it is to be
  // believed with. 0 is not known, and counts nothing: of fewer than two images, or of the very network
  // that losses are compared with. REQUIRES: standard_error >= 0.
  double Take(double excess, double standard_error);

  // Of the next reading, where that much is expected: > 0.
  double Expected(double excess) const;

 private:
  double squares_ = kFirstWeight * kFirstError * kFirstError;
  double excesses_ = kFirstWeight * (kFirstExcess + kLeastExcess);
};

}  // namespace bitpilot

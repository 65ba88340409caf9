// ReadingErrors: how far readings of the loss are off by the images that they are read on, so far, and
// how far the next one is expected to be.
//
// The expected error is the root mean square of those so far, which begins at kFirstError with the weight
// of kFirstWeight readings: the first reading of a search is mostly of narrow widths or of wide ones, and
// alone it says little of the others. What the model of losses cannot say is not in it
// (LossBelief::ReadingVariance()).
#pragma once

namespace bitpilot {

class ReadingErrors {
 public:
  static constexpr double kFirstError = 0.012;  // nats: 1,000 images of CIFAR-10 at 2 to 4 bits
  static constexpr double kFirstWeight = 4.0;   // readings

  // Takes in a reading's standard error, nats, each reading once, and returns what it is to be believed
  // with. 0 is not known, and counts nothing: of fewer than two images, or of the network that losses
  // are compared with itself. REQUIRES: standard_error >= 0.
  double Take(double standard_error);

  // Of the next reading, nats, > 0.
  double expected() const;

 private:
  double sum_of_squares_ = kFirstWeight * kFirstError * kFirstError;
  double weight_ = kFirstWeight;
};

}  // namespace bitpilot

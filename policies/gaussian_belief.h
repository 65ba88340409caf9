// GaussianBelief: what linear observations say about a vector of unknowns, one at a time.
//
//   z ~ N(mean, covariance);   y = phi . z + e,   e ~ N(0, noise_variance)
//
// Unlike RidgePosterior (policies/ridge.h), which keeps every observation, its cost does not grow
// with their number: O(n^2) an observation, n unknowns.
#pragma once

#include <vector>

#include "policies/random_stream.h"
#include "policies/ridge.h"

namespace bitpilot {

class GaussianBelief {
 public:
  // Independent unknowns. REQUIRES: equal lengths; standard deviations > 0.
  GaussianBelief(std::vector<double> mean, const std::vector<double>& standard_deviation);

  // Takes in one observation and returns the logarithm of how likely it was, without the constant
  // -ln(2 pi) / 2. REQUIRES: noise_variance > 0.
  double Observe(const SparseFeatures& features, double y, double noise_variance);

  // As if `features` were observed at the mean: the mean stays, the covariance shrinks.
  void Anticipate(const SparseFeatures& features, double noise_variance);

  double Mean(const SparseFeatures& features) const { return Dot(features, mean_); }
  // covariance * features: [n]. Its Dot() with other features is their covariance with `features`.
  std::vector<double> CovarianceWith(const SparseFeatures& features) const;
  double Variance(const SparseFeatures& features) const {
    return Dot(features, CovarianceWith(features));
  }

  const std::vector<double>& mean() const { return mean_; }
  // One draw of all unknowns. O(n^3).
  std::vector<double> Sample(RandomStream& random) const;

 private:
  // Takes in an observation that is `surprise` above its mean.
  void Update(const std::vector<double>& covariance_with, double variance, double surprise);

  std::vector<double> mean_;
  std::vector<std::vector<double>> covariance_;
};

}  // namespace bitpilot

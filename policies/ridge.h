// Bayesian ridge regression on sparse features, with samples from its posterior.
//
//   y_i = phi_i . z + e_i,   z ~ N(0, I),   e_i ~ N(0, noise_variance_i)
//
// Prior knowledge goes into the features' scales and into what the caller subtracts from y.
// Forgetting is a noise variance that grows with an observation's age: the batch form of recursive
// least squares with a forgetting factor, and free of its numerical drift.
#pragma once

#include <utility>
#include <vector>

#include "policies/random_stream.h"

namespace bitpilot {

// (feature, value) pairs; features that are not listed are 0.
using SparseFeatures = std::vector<std::pair<int, double>>;

// Immutable. Cost: O(n^3) to build and O(n^2) a sample, n observations; the number of features
// hardly matters.
class RidgePosterior {
 public:
  // REQUIRES: equally many rows, targets and noise variances; variances > 0; features in [0,
  // num_features).
  RidgePosterior(int num_features, std::vector<SparseFeatures> rows, std::vector<double> targets,
                 std::vector<double> noise_variances);

  // Posterior mean of z: [num_features].
  std::vector<double> Mean() const;

  // One draw of z from the posterior: [num_features].
  //
  // Source: Bhattacharya et al., "Fast sampling with Gaussian scale mixture priors in
  // high-dimensional regression", Biometrika 2016, arXiv:1506.04778, algorithm 1.
  std::vector<double> Sample(RandomStream& random) const;

 private:
  // Phi^T (Phi Phi^T + R)^-1 residual
  std::vector<double> Project(std::vector<double> residual) const;

  int num_features_;
  std::vector<SparseFeatures> rows_;
  std::vector<double> targets_;
  std::vector<double> noise_variances_;
  std::vector<std::vector<double>> cholesky_;  // lower triangle of Phi Phi^T + R
};

// sum of value x weights[feature]
double Dot(const SparseFeatures& features, const std::vector<double>& weights);

}  // namespace bitpilot

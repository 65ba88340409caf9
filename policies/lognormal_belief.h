// LognormalBelief: what readings of weighted sums say about unknowns that are positive.
//
//   l ~ N(mean, diagonal covariance);   y = sum over i of phi_i e^(l_i) + e,   e ~ N(0, noise_variance)
//
// Losses are positive, and what is known of them beforehand is known up to a factor. A normal belief
// (policies/gaussian_belief.h) gives probability to losses below zero: of several variables that were only
// read together it then takes the one that was blamed least for free, and a search ends with it.
//
// The logarithms are fitted to all readings at once (Gauss-Newton), so that the expected sums agree with
// them; around the fit they are normal (Laplace), and the unknowns are linear in them for planning. Only the
// last kMaxReadings are fitted again: of older ones each unknown's mean and deviation stay, so that the
// cost is bounded.
//
// Source: iterated extended Kalman filter, Bell and Cathey, IEEE Transactions on Automatic Control 38(2),
// 1993; draws by conditioning, Matheron's rule, Wilson et al., JMLR 22(105), 2021.
#pragma once

#include <cstddef>
#include <vector>

#include "policies/random_stream.h"
#include "policies/ridge.h"

namespace bitpilot {

class LognormalBelief {
 public:
  static constexpr std::size_t kMaxReadings = 96;

  // Independent unknowns. log_deviation: standard deviation of the logarithm.
  //
  // REQUIRES: equal lengths, medians and deviations > 0.
  LognormalBelief(const std::vector<double>& median, const std::vector<double>& log_deviation);

  // Takes in one reading. REQUIRES: noise_variance > 0. Fitting n unknowns to m readings: O(m^2 n).
  void Observe(const SparseFeatures& features, double y, double noise_variance);

  // As if `features` were read at the mean: the mean stays, the covariance shrinks. What is observed
  // after that is fitted without it.
  void Anticipate(const SparseFeatures& features, double noise_variance);

  // Logarithm of how likely all readings so far were, without the constant -ln(2 pi) / 2 of each.
  double log_evidence() const { return absorbed_evidence_ + evidence_; }

  // Expected unknowns: [n].
  const std::vector<double>& mean() const { return mean_; }
  double Mean(const SparseFeatures& features) const { return Dot(features, mean_); }
  double Variance(const SparseFeatures& features) const;

  // A weighted sum of the unknowns, made ready for Covariance().
  struct Combination {
    std::vector<int> unknowns;
    std::vector<double> prior;    // deviations before the readings, [unknowns]
    std::vector<double> learned;  // what each reading has taken from them, [readings]
  };
  Combination Combine(const SparseFeatures& features) const;
  // O(unknowns + readings).
  //
  // REQUIRES: as many unknowns; one that both have is at the same position in both, as in
  // LossBelief::Features().
  static double Covariance(const Combination& a, const Combination& b);

  // One draw of all unknowns, each > 0.
  std::vector<double> Sample(RandomStream& random) const;

 private:
  struct Reading {
    SparseFeatures features;
    double y;
    double noise_variance;
  };

  void Fit();
  // The logarithms, by above_median_; rows_ and evidence_ where they end.
  void FitLogarithms();
  // From logs_ to the fit of what is linear around them: [n].
  std::vector<double> FullStep() const;
  // Takes the oldest reading out of readings_ and what it says of each unknown into the prior.
  void AbsorbOldest();
  // Covariances of the logarithms as if `reading` were read too, linear around `at`, behind the rows
  // there are. exponentials: of `at`, which all readings share: [n]. Returns its residual's distance from
  // what was expected, in standard deviations.
  double AddRow(const Reading& reading, const std::vector<double>& at,
                const std::vector<double>& exponentials);
  double MisfitOf(const std::vector<double>& logs) const;
  double LogVariance(std::size_t unknown) const;

  std::vector<double> prior_;           // of the logarithms, [n]
  std::vector<double> prior_variance_;  // [n]
  std::vector<Reading> readings_;
  double absorbed_evidence_ = 0.0;
  // Of the fit. Covariance of the logarithms: diag(prior_variance_) - sum over rows of row row^T.
  std::vector<double> logs_;
  std::vector<double> above_median_;  // expected unknown / e^logs_
  std::vector<double> mean_;
  double evidence_ = 0.0;
  struct Row {
    std::vector<double> with;    // covariance with each logarithm / deviation of the reading: [n]
    std::vector<double> before;  // of the reading, with the rows before it
    SparseFeatures slope;        // of the reading, by logarithm
    double noise_variance;
    double deviation;
    double residual;  // less what the rows before explain, in deviations
  };
  std::vector<Row> rows_;
};

}  // namespace bitpilot

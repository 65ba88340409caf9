#include "policies/gaussian_belief.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "policies/random_stream.h"
#include "policies/ridge.h"

namespace bitpilot {
namespace {

TEST(GaussianBeliefTest, GivesOneUnknownsPosteriorAndEvidenceAsDerivedByHand) {
  GaussianBelief belief({1.0}, {2.0});  // variance 4
  // y = 3 z + e with variance 12: y has variance 9 * 4 + 12 = 48, gain 3 * 4 / 48 = 1/4.
  const double log_likelihood = belief.Observe({{0, 3.0}}, /*y=*/7.0, /*noise_variance=*/12.0);
  EXPECT_DOUBLE_EQ(belief.mean()[0], 1.0 + (7.0 - 3.0) / 4.0);
  EXPECT_DOUBLE_EQ(belief.Variance({{0, 1.0}}), 4.0 - 3.0 * 4.0 / 4.0);
  EXPECT_NEAR(log_likelihood, -0.5 * (16.0 / 48.0 + std::log(48.0)), 1e-12);
}

TEST(GaussianBeliefTest, AgreesWithRegressionOverAllObservationsAtOnce) {
  RandomStream random(1, "observations");
  constexpr int kUnknowns = 6;
  GaussianBelief belief(std::vector<double>(kUnknowns, 0.0), std::vector<double>(kUnknowns, 1.0));
  std::vector<SparseFeatures> rows;
  std::vector<double> targets;
  std::vector<double> variances;
  for (int observation = 0; observation < 9; ++observation) {
    SparseFeatures features;
    for (int i = observation % 2; i < kUnknowns; i += 2) {
      features.emplace_back(i, random.NextNormal());
    }
    rows.push_back(features);
    targets.push_back(random.NextNormal());
    variances.push_back(0.1 + random.NextUniform());
    belief.Observe(features, targets.back(), variances.back());
  }
  const std::vector<double> mean = RidgePosterior(kUnknowns, rows, targets, variances).Mean();
  for (int i = 0; i < kUnknowns; ++i) {
    EXPECT_NEAR(belief.mean()[static_cast<std::size_t>(i)], mean[static_cast<std::size_t>(i)],
                1e-9);
  }
}

// By Gauss-Jordan elimination, row by row; of a positive definite matrix.
std::vector<std::vector<double>> Inverse(std::vector<std::vector<double>> matrix) {
  const std::size_t n = matrix.size();
  std::vector<std::vector<double>> inverse(n, std::vector<double>(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) inverse[i][i] = 1.0;
  for (std::size_t pivot = 0; pivot < n; ++pivot) {
    const double divisor = matrix[pivot][pivot];
    for (std::size_t j = 0; j < n; ++j) {
      matrix[pivot][j] /= divisor;
      inverse[pivot][j] /= divisor;
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (i == pivot) continue;
      const double factor = matrix[i][pivot];
      for (std::size_t j = 0; j < n; ++j) {
        matrix[i][j] -= factor * matrix[pivot][j];
        inverse[i][j] -= factor * inverse[pivot][j];
      }
    }
  }
  return inverse;
}

// Rounding errors of 5,000 updates must not add up: against precisions, which are sums.
TEST(GaussianBeliefTest, AgreesWithTheSumOfPrecisionsAfterThousandsOfObservations) {
  RandomStream random(2, "many");
  constexpr std::size_t kUnknowns = 12;
  constexpr double kNoiseVariance = 1e-4;
  GaussianBelief belief(std::vector<double>(kUnknowns, 0.0), std::vector<double>(kUnknowns, 1.0));
  std::vector<std::vector<double>> precision(kUnknowns, std::vector<double>(kUnknowns, 0.0));
  for (std::size_t i = 0; i < kUnknowns; ++i) precision[i][i] = 1.0;
  std::vector<double> weighted(kUnknowns, 0.0);
  for (int observation = 0; observation < 5'000; ++observation) {
    SparseFeatures features;
    for (int i = random.NextIndex(3); i < static_cast<int>(kUnknowns); i += 3) {
      features.emplace_back(i, random.NextNormal());
    }
    const double y = random.NextNormal();
    belief.Observe(features, y, kNoiseVariance);
    for (const auto& [i, value] : features) {
      weighted[static_cast<std::size_t>(i)] += value * y / kNoiseVariance;
      for (const auto& [j, other] : features) {
        precision[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] +=
            value * other / kNoiseVariance;
      }
    }
  }
  const std::vector<std::vector<double>> covariance = Inverse(precision);
  for (std::size_t i = 0; i < kUnknowns; ++i) {
    const std::vector<double> with = belief.CovarianceWith({{static_cast<int>(i), 1.0}});
    EXPECT_GT(with[i], 0.0);
    double mean = 0.0;
    for (std::size_t j = 0; j < kUnknowns; ++j) {
      mean += covariance[i][j] * weighted[j];
      EXPECT_NEAR(with[j], covariance[i][j], 1e-6 * covariance[i][i]);
      EXPECT_EQ(with[j], belief.CovarianceWith({{static_cast<int>(j), 1.0}})[i]);
    }
    EXPECT_NEAR(belief.mean()[i], mean, 1e-6);
  }
}

TEST(GaussianBeliefTest, DrawsWithItsMeanAndCovariance) {
  GaussianBelief belief({1.0, -1.0}, {1.0, 2.0});
  belief.Observe({{0, 1.0}, {1, 1.0}}, /*y=*/2.0, /*noise_variance=*/0.5);
  RandomStream random(3, "draws");
  constexpr int kDraws = 20'000;
  double sum[2] = {};
  double product[2][2] = {};
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<double> z = belief.Sample(random);
    for (std::size_t i = 0; i < 2; ++i) {
      sum[i] += z[i];
      for (std::size_t j = 0; j < 2; ++j) {
        product[i][j] += (z[i] - belief.mean()[i]) * (z[j] - belief.mean()[j]);
      }
    }
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(sum[i] / kDraws, belief.mean()[static_cast<std::size_t>(i)], 0.03);
    for (int j = 0; j < 2; ++j) {
      const double covariance = belief.CovarianceWith({{i, 1.0}})[static_cast<std::size_t>(j)];
      EXPECT_NEAR(product[i][j] / kDraws, covariance, 0.05);
    }
  }
}

TEST(GaussianBeliefTest, AnticipatesAReadingWithoutMovingItsMean) {
  GaussianBelief belief({0.5, 0.0}, {1.0, 1.0});
  GaussianBelief observed = belief;
  const SparseFeatures features = {{0, 1.0}, {1, 2.0}};
  belief.Anticipate(features, 0.3);
  observed.Observe(features, observed.Mean(features), 0.3);
  EXPECT_EQ(belief.mean(), (std::vector<double>{0.5, 0.0}));
  EXPECT_DOUBLE_EQ(belief.Variance(features), observed.Variance(features));
  EXPECT_LT(belief.Variance(features), 0.3);
}

}  // namespace
}  // namespace bitpilot

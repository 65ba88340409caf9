#include "policies/ridge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bitpilot {
namespace {

// One feature, phi = 2, y = 3, variance 0.5: mean = phi y / (phi^2 + variance) = 6 / 4.5.
TEST(RidgePosteriorTest, MeanOfOneObservationEqualsTheFormula) {
  const RidgePosterior posterior(2, {{{1, 2.0}}}, {3.0}, {0.5});
  const std::vector<double> mean = posterior.Mean();
  EXPECT_EQ(mean[0], 0.0);
  EXPECT_DOUBLE_EQ(mean[1], 6.0 / 4.5);
}

// Normal equations (Phi^T Phi / v + I) z = Phi^T y / v with rows (1, 1), (1, 0), y = (3, 1), v = 1:
// [[3, 1], [1, 2]] z = (4, 3), so z = (1, 1).
TEST(RidgePosteriorTest, MeanSolvesTheNormalEquations) {
  const RidgePosterior posterior(2, {{{0, 1.0}, {1, 1.0}}, {{0, 1.0}}}, {3.0, 1.0}, {1.0, 1.0});
  const std::vector<double> mean = posterior.Mean();
  EXPECT_NEAR(mean[0], 1.0, 1e-14);
  EXPECT_NEAR(mean[1], 1.0, 1e-14);
}

TEST(RidgePosteriorTest, WithoutObservationsDrawsFromThePrior) {
  const RidgePosterior posterior(3, {}, {}, {});
  EXPECT_EQ(posterior.Mean(), std::vector<double>(3, 0.0));
  RandomStream random(1, "prior");
  double square = 0.0;
  for (int i = 0; i < 2000; ++i) {
    for (const double weight : posterior.Sample(random)) {
      square += weight * weight;
    }
  }
  EXPECT_NEAR(square / 6000.0, 1.0, 5.0 * std::sqrt(2.0 / 6000.0));
}

// The posterior of the problem above has covariance [[3, 1], [1, 2]]^-1 = [[2, -1], [-1, 3]] / 5.
TEST(RidgePosteriorTest, SamplesHaveThePosteriorsMeanAndCovariance) {
  const RidgePosterior posterior(2, {{{0, 1.0}, {1, 1.0}}, {{0, 1.0}}}, {3.0, 1.0}, {1.0, 1.0});
  RandomStream random(1, "posterior");
  constexpr int kCount = 20'000;
  double mean[2] = {};
  double variance[2] = {};
  double covariance = 0.0;
  for (int i = 0; i < kCount; ++i) {
    const std::vector<double> z = posterior.Sample(random);
    for (std::size_t j = 0; j < 2; ++j) {
      mean[j] += z[j] / kCount;
      variance[j] += (z[j] - 1.0) * (z[j] - 1.0) / kCount;
    }
    covariance += (z[0] - 1.0) * (z[1] - 1.0) / kCount;
  }
  EXPECT_NEAR(mean[0], 1.0, 0.03);
  EXPECT_NEAR(mean[1], 1.0, 0.03);
  EXPECT_NEAR(variance[0], 0.4, 0.03);
  EXPECT_NEAR(variance[1], 0.6, 0.04);
  EXPECT_NEAR(covariance, -0.2, 0.03);
}

}  // namespace
}  // namespace bitpilot

#include "policies/lognormal_belief.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

TEST(LognormalBeliefTest, StartsAtTheMeanOfItsUnknowns) {
  const LognormalBelief belief({2.0, 0.1}, {0.8, 0.5});
  EXPECT_NEAR(belief.mean()[0], 2.0 * std::exp(0.32), 1e-12);
  EXPECT_NEAR(belief.mean()[1], 0.1 * std::exp(0.125), 1e-12);
  // Linear around the mean: the variance of the logarithm, scaled.
  EXPECT_NEAR(belief.Variance({{0, 1.0}}), belief.mean()[0] * belief.mean()[0] * 0.64, 1e-12);
}

// y = 3 e^l, read with an error that is small beside l's deviation: l is ln(y / 3), and what is left of
// its variance follows from the slope there.
TEST(LognormalBeliefTest, GivesOneUnknownsPosteriorAsDerivedByHand) {
  LognormalBelief belief({1.0}, {0.8});
  belief.Observe({{0, 3.0}}, /*y=*/6.0, /*noise_variance=*/1e-8);
  const double variance = 1.0 / (1.0 / 0.64 + 6.0 * 6.0 / 1e-8);
  EXPECT_NEAR(belief.mean()[0], 2.0, 1e-4);
  EXPECT_NEAR(belief.Variance({{0, 1.0}}), 4.0 * variance, 1e-12);
  // The residual is ln 2 away of a deviation of .8, and the reading's own slope widens it.
  const double deviation = std::sqrt(36.0 * 0.64 + 1e-8);
  const double residual = 6.0 * std::log(2.0) / deviation;
  EXPECT_NEAR(belief.log_evidence(), -0.5 * residual * residual - std::log(deviation), 1e-3);
}

// Two unknowns that are read together only: neither goes below zero, whatever is left for it.
TEST(LognormalBeliefTest, GivesNothingToUnknownsBelowZero) {
  LognormalBelief belief({0.2, 0.2}, {0.8, 0.8});
  belief.Observe({{0, 1.0}, {1, 1.0}}, 0.3, 1e-6);
  belief.Observe({{0, 1.0}}, 0.31, 1e-4);  // by its error, above the sum
  EXPECT_GT(belief.mean()[0], 0.2);
  EXPECT_GT(belief.mean()[1], 0.0);
  RandomStream random(1, "draws");
  for (int draw = 0; draw < 200; ++draw) {
    for (const double value : belief.Sample(random)) EXPECT_GT(value, 0.0);
  }
}

TEST(LognormalBeliefTest, DoesNotDependOnTheOrderOfItsReadings) {
  const std::vector<SparseFeatures> rows = {
      {{0, 1.0}, {1, 1.0}}, {{1, 1.0}, {2, 0.5}}, {{0, 1.0}, {2, 1.0}}, {{2, 1.0}}};
  const std::vector<double> y = {0.9, 0.4, 1.3, 0.2};
  LognormalBelief forwards({0.5, 0.2, 0.4}, {0.8, 0.8, 0.5});
  LognormalBelief backwards = forwards;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    forwards.Observe(rows[i], y[i], 1e-3);
    const std::size_t last = rows.size() - 1 - i;
    backwards.Observe(rows[last], y[last], 1e-3);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(forwards.mean()[i], backwards.mean()[i], 1e-2 * forwards.mean()[i]);
  }
  EXPECT_NEAR(forwards.log_evidence(), backwards.log_evidence(), 0.05);
}

TEST(LognormalBeliefTest, DrawsAsItsMomentsSay) {
  LognormalBelief belief({1.0, 1.0}, {0.3, 0.3});
  belief.Observe({{0, 1.0}, {1, 1.0}}, 2.0, 0.01);
  const auto one = belief.Combine({{0, 1.0}, {1, 0.0}});
  const auto other = belief.Combine({{0, 0.0}, {1, 1.0}});
  RandomStream random(3, "draws");
  constexpr int kDraws = 20'000;
  double mean = 0.0;
  double square = 0.0;
  double product = 0.0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<double> sample = belief.Sample(random);
    const double a = sample[0] - belief.mean()[0];
    mean += sample[0] / kDraws;
    square += a * a / kDraws;
    product += a * (sample[1] - belief.mean()[1]) / kDraws;
  }
  EXPECT_NEAR(mean, belief.mean()[0], 0.02);
  const double variance = LognormalBelief::Covariance(one, one);
  EXPECT_NEAR(square, variance, 0.15 * variance);
  EXPECT_LT(LognormalBelief::Covariance(one, other), -0.8 * variance);
  EXPECT_NEAR(product, LognormalBelief::Covariance(one, other), 0.15 * variance);
}

TEST(LognormalBeliefTest, ExpectsTheSameAndIsSurerOfWhatIsAnticipated) {
  LognormalBelief belief({0.5, 0.2}, {0.8, 0.8});
  belief.Observe({{0, 1.0}, {1, 1.0}}, 0.9, 1e-3);
  LognormalBelief later = belief;
  later.Anticipate({{0, 1.0}}, 1e-3);
  EXPECT_EQ(later.mean(), belief.mean());
  EXPECT_LT(later.Variance({{0, 1.0}}), 0.1 * belief.Variance({{0, 1.0}}));
  EXPECT_LT(later.Variance({{1, 1.0}}), 0.5 * belief.Variance({{1, 1.0}}));
}

// More readings than are fitted again: what the oldest said of each unknown stays.
TEST(LognormalBeliefTest, KeepsWhatReadingsSaidThatAreNotFittedAgain) {
  LognormalBelief belief({0.5, 0.2}, {0.8, 0.8});
  belief.Observe({{0, 1.0}}, 0.9, 1e-6);
  for (std::size_t i = 0; i < LognormalBelief::kMaxReadings + 10; ++i) {
    belief.Observe({{1, 1.0}}, 0.1, 1e-2);
  }
  EXPECT_NEAR(belief.mean()[0], 0.9, 0.01);
  EXPECT_NEAR(belief.mean()[1], 0.1, 0.03);
  EXPECT_LT(belief.Variance({{0, 1.0}}), 1e-5);
}

}  // namespace
}  // namespace bitpilot

#include "policies/gaussian_belief.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// Keeps a factor's diagonal positive where rounding has eaten a variance.
constexpr double kSmallestVariance = 1e-14;

}  // namespace

GaussianBelief::GaussianBelief(std::vector<double> mean,
                               const std::vector<double>& standard_deviation)
    : mean_(std::move(mean)), covariance_(mean_.size(), std::vector<double>(mean_.size(), 0.0)) {
  BITPILOT_CHECK(standard_deviation.size() == mean_.size());
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    BITPILOT_CHECK(standard_deviation[i] > 0.0);
    covariance_[i][i] = standard_deviation[i] * standard_deviation[i];
  }
}

std::vector<double> GaussianBelief::CovarianceWith(const SparseFeatures& features) const {
  std::vector<double> product(mean_.size(), 0.0);
  for (const auto& [feature, value] : features) {
    const std::vector<double>& row = covariance_[AsIndex(feature)];  // Symmetric.
    for (std::size_t i = 0; i < product.size(); ++i) product[i] += value * row[i];
  }
  return product;
}

double GaussianBelief::Observe(const SparseFeatures& features, double y, double noise_variance) {
  BITPILOT_CHECK(noise_variance > 0.0);
  const std::vector<double> with = CovarianceWith(features);
  const double variance = Dot(features, with) + noise_variance;
  const double surprise = y - Mean(features);
  Update(with, variance, surprise);
  return -0.5 * (surprise * surprise / variance + PlainLog(variance));
}

void GaussianBelief::Anticipate(const SparseFeatures& features, double noise_variance) {
  BITPILOT_CHECK(noise_variance > 0.0);
  const std::vector<double> with = CovarianceWith(features);
  Update(with, Dot(features, with) + noise_variance, /*surprise=*/0.0);
}

void GaussianBelief::Update(const std::vector<double>& covariance_with, double variance,
                            double surprise) {
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    const double gain = covariance_with[i] / variance;
    if (gain == 0.0) continue;
    mean_[i] += gain * surprise;
    // One triangle, mirrored: computed on its own, the other would drift away by rounding.
    for (std::size_t j = 0; j <= i; ++j) {
      covariance_[j][i] = covariance_[i][j] -= gain * covariance_with[j];
    }
  }
}

std::vector<double> GaussianBelief::Sample(RandomStream& random) const {
  std::vector<double> normal(mean_.size());
  for (double& value : normal) value = random.NextNormal();
  std::vector<double> sample = mean_;
  std::vector<std::vector<double>> factor(mean_.size());  // lower triangle
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    factor[i].resize(i + 1);
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = covariance_[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= factor[i][k] * factor[j][k];
      factor[i][j] = i == j ? std::sqrt(std::max(sum, kSmallestVariance)) : sum / factor[j][j];
      sample[i] += factor[i][j] * normal[j];
    }
  }
  return sample;
}

}  // namespace bitpilot

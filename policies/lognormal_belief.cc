#include "policies/lognormal_belief.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// A fit starts at the one before it, so few steps are enough.
constexpr int kMaxSteps = 10;
constexpr int kMaxHalvings = 6;
// Of any logarithm: far steps leave the region in which the sum is nearly linear.
constexpr double kLongestStep = 1.5;
constexpr double kShortestStep = 1e-4;

// Keeps a variance positive where rounding has eaten it.
constexpr double kSmallestVariance = 1e-14;

std::vector<double> ExponentialsOf(std::vector<double> logs) {
  for (double& value : logs) value = PlainExp(value);
  return logs;
}

// Sum of term(0) to term(count - 1), as four sums: one would wait for each addition.
template <typename Term>
double SumOfFour(std::size_t count, Term term) {
  double sum0 = 0.0;
  double sum1 = 0.0;
  double sum2 = 0.0;
  double sum3 = 0.0;
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    sum0 += term(i);
    sum1 += term(i + 1);
    sum2 += term(i + 2);
    sum3 += term(i + 3);
  }
  for (; i < count; ++i) sum0 += term(i);
  return (sum0 + sum1) + (sum2 + sum3);
}

}  // namespace

LognormalBelief::LognormalBelief(const std::vector<double>& median,
                                 const std::vector<double>& log_deviation) {
  BITPILOT_CHECK(median.size() == log_deviation.size());
  for (std::size_t i = 0; i < median.size(); ++i) {
    BITPILOT_CHECK(median[i] > 0.0 && log_deviation[i] > 0.0);
    prior_.push_back(PlainLog(median[i]));
    prior_variance_.push_back(log_deviation[i] * log_deviation[i]);
  }
  logs_ = prior_;
  above_median_.resize(prior_.size());
  Fit();
}

void LognormalBelief::Observe(const SparseFeatures& features, double y, double noise_variance) {
  BITPILOT_CHECK(noise_variance > 0.0);
  if (readings_.size() == kMaxReadings) AbsorbOldest();
  readings_.push_back({features, y, noise_variance});
  Fit();
}

void LognormalBelief::Anticipate(const SparseFeatures& features, double noise_variance) {
  BITPILOT_CHECK(noise_variance > 0.0);
  AddRow({features, 0.0, noise_variance}, logs_, ExponentialsOf(logs_));
}

double LognormalBelief::AddRow(const Reading& reading, const std::vector<double>& at,
                               const std::vector<double>& exponentials) {
  Row row{.with = std::vector<double>(prior_.size(), 0.0),
          .before = {},
          .slope = reading.features,
          .noise_variance = reading.noise_variance,
          .deviation = 0.0,
          .residual = 0.0};
  double residual = reading.y;
  for (auto& [unknown, slope] : row.slope) {
    const std::size_t i = AsIndex(unknown);
    slope *= above_median_[i] * exponentials[i];
    residual -= slope * (1.0 + prior_[i] - at[i]);
    row.with[i] += slope * prior_variance_[i];
  }
  row.before.reserve(rows_.size());
  for (const Row& other : rows_) {
    const double along = Dot(row.slope, other.with);
    row.before.push_back(along);
    residual -= along * other.residual;
    for (std::size_t i = 0; i < row.with.size(); ++i) row.with[i] -= along * other.with[i];
  }
  row.deviation = std::sqrt(std::max(Dot(row.slope, row.with), 0.0) + reading.noise_variance);
  for (double& with : row.with) with /= row.deviation;
  row.residual = residual / row.deviation;
  rows_.push_back(std::move(row));
  return rows_.back().residual;
}

double LognormalBelief::MisfitOf(const std::vector<double>& logs) const {
  double misfit = 0.0;
  const std::vector<double> exponentials = ExponentialsOf(logs);
  for (const Reading& reading : readings_) {
    double residual = reading.y;
    for (const auto& [unknown, value] : reading.features) {
      residual -= value * above_median_[AsIndex(unknown)] * exponentials[AsIndex(unknown)];
    }
    misfit += residual * residual / reading.noise_variance;
  }
  for (std::size_t i = 0; i < logs.size(); ++i) {
    misfit += (logs[i] - prior_[i]) * (logs[i] - prior_[i]) / prior_variance_[i];
  }
  return misfit;
}

void LognormalBelief::Fit() {
  // How unsure a logarithm stays is known after a fit, and then how far the mean is above the median.
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t i = 0; i < above_median_.size(); ++i) {
      above_median_[i] = PlainExp(0.5 * LogVariance(i));
    }
    if (!readings_.empty()) FitLogarithms();
  }
  mean_.resize(logs_.size());
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    mean_[i] = above_median_[i] * PlainExp(logs_[i]);
  }
}

void LognormalBelief::FitLogarithms() {
  double misfit = MisfitOf(logs_);
  std::vector<double> trial(logs_.size());
  for (int steps = 0; steps < kMaxSteps; ++steps) {
    const std::vector<double> step = FullStep();
    double longest = 0.0;
    for (const double one : step) longest = std::max(longest, std::abs(one));
    if (longest < kShortestStep) break;
    double share = std::min(1.0, kLongestStep / longest);
    bool is_better = false;
    for (int halving = 0; halving < kMaxHalvings && !is_better; ++halving, share *= 0.5) {
      for (std::size_t i = 0; i < step.size(); ++i) trial[i] = logs_[i] + share * step[i];
      const double of_trial = MisfitOf(trial);
      is_better = of_trial < misfit;
      if (is_better) misfit = of_trial;
    }
    if (!is_better) break;
    logs_.swap(trial);
  }
  rows_.clear();
  evidence_ = 0.0;
  const std::vector<double> exponentials = ExponentialsOf(logs_);
  for (const Reading& reading : readings_) {
    const double residual = AddRow(reading, logs_, exponentials);
    evidence_ -= 0.5 * (residual * residual + 2.0 * PlainLog(rows_.back().deviation));
  }
}

std::vector<double> LognormalBelief::FullStep() const {
  const std::size_t count = readings_.size();
  const std::vector<double> exponentials = ExponentialsOf(logs_);
  std::vector<SparseFeatures> slopes;
  std::vector<double> solved(count);  // residuals, then the readings' shares in the step
  slopes.reserve(count);
  for (std::size_t j = 0; j < count; ++j) {
    slopes.push_back(readings_[j].features);
    solved[j] = readings_[j].y;
    for (auto& [unknown, slope] : slopes[j]) {
      const std::size_t i = AsIndex(unknown);
      slope *= above_median_[i] * exponentials[i];
      solved[j] -= slope * (1.0 + prior_[i] - logs_[i]);
    }
  }
  // The readings' covariance and its factor, row by row: lower triangles. Most unknowns are in few
  // readings, so this is far less work than AddRow()'s, whose rows are needed where the fit ends only.
  std::vector<double> factor(count * count);
  std::vector<double> spread(prior_.size(), 0.0);  // a reading's covariances with the logarithms
  for (std::size_t j = 0; j < count; ++j) {
    for (const auto& [unknown, slope] : slopes[j]) {
      spread[AsIndex(unknown)] += slope * prior_variance_[AsIndex(unknown)];
    }
    double* const row = &factor[j * count];
    for (std::size_t k = 0; k <= j; ++k) {
      double covariance = Dot(slopes[k], spread);
      if (k == j) covariance += readings_[j].noise_variance;
      const double* const other = &factor[k * count];
      for (std::size_t l = 0; l < k; ++l) covariance -= row[l] * other[l];
      row[k] = k < j ? covariance / other[k]
                     : std::sqrt(std::max(covariance, readings_[j].noise_variance));
    }
    for (const auto& [unknown, slope] : slopes[j]) spread[AsIndex(unknown)] = 0.0;
    for (std::size_t k = 0; k < j; ++k) solved[j] -= row[k] * solved[k];
    solved[j] /= row[j];
  }
  for (std::size_t j = count; j-- > 0;) {
    solved[j] /= factor[j * count + j];
    for (std::size_t k = 0; k < j; ++k) solved[k] -= factor[j * count + k] * solved[j];
  }
  std::vector<double> step(logs_.size());
  for (std::size_t i = 0; i < step.size(); ++i) step[i] = prior_[i] - logs_[i];
  for (std::size_t j = 0; j < count; ++j) {
    for (const auto& [unknown, slope] : slopes[j]) {
      step[AsIndex(unknown)] += slope * prior_variance_[AsIndex(unknown)] * solved[j];
    }
  }
  return step;
}

double LognormalBelief::LogVariance(std::size_t unknown) const {
  double variance = prior_variance_[unknown];
  for (const Row& row : rows_) variance -= row.with[unknown] * row.with[unknown];
  return std::max(variance, kSmallestVariance);
}

void LognormalBelief::AbsorbOldest() {
  const Reading oldest = readings_.front();
  readings_.erase(readings_.begin());
  rows_.clear();
  const double residual = AddRow(oldest, logs_, ExponentialsOf(logs_));
  const Row& row = rows_.front();
  absorbed_evidence_ -= 0.5 * (residual * residual + 2.0 * PlainLog(row.deviation));
  for (std::size_t i = 0; i < prior_.size(); ++i) {
    prior_[i] += residual * row.with[i];
    prior_variance_[i] =
        std::max(prior_variance_[i] - row.with[i] * row.with[i], kSmallestVariance);
  }
}

LognormalBelief::Combination LognormalBelief::Combine(const SparseFeatures& features) const {
  Combination combination;
  combination.unknowns.reserve(features.size());
  combination.prior.reserve(features.size());
  combination.learned.assign(rows_.size(), 0.0);
  SparseFeatures scaled = features;
  for (auto& [unknown, value] : scaled) {
    value *= mean_[AsIndex(unknown)];
    combination.unknowns.push_back(unknown);
    combination.prior.push_back(value * std::sqrt(prior_variance_[AsIndex(unknown)]));
  }
  for (std::size_t k = 0; k < rows_.size(); ++k) {
    combination.learned[k] = Dot(scaled, rows_[k].with);
  }
  return combination;
}

double LognormalBelief::Covariance(const Combination& a, const Combination& b) {
  const std::vector<int>& first = a.unknowns;
  const std::vector<int>& second = b.unknowns;
  return SumOfFour(first.size(),
                   [&](std::size_t i) {
                     return (first[i] == second[i] ? a.prior[i] : 0.0) * b.prior[i];
                   }) -
         SumOfFour(a.learned.size(), [&](std::size_t k) { return a.learned[k] * b.learned[k]; });
}

double LognormalBelief::Variance(const SparseFeatures& features) const {
  const Combination combination = Combine(features);
  return std::max(Covariance(combination, combination), 0.0);
}

std::vector<double> LognormalBelief::Sample(RandomStream& random) const {
  // A draw from the prior, moved as readings of it would move it.
  std::vector<double> drawn(logs_.size());
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    drawn[i] = std::sqrt(prior_variance_[i]) * random.NextNormal();
  }
  std::vector<double> sample = logs_;
  for (std::size_t i = 0; i < sample.size(); ++i) sample[i] += drawn[i];
  std::vector<double> explained;
  for (const Row& row : rows_) {
    double reading = Dot(row.slope, drawn) + std::sqrt(row.noise_variance) * random.NextNormal();
    for (std::size_t k = 0; k < explained.size(); ++k) reading -= row.before[k] * explained[k];
    explained.push_back(reading / row.deviation);
    for (std::size_t i = 0; i < sample.size(); ++i) {
      sample[i] -= explained.back() * row.with[i];
    }
  }
  for (double& value : sample) value = PlainExp(value);
  return sample;
}

}  // namespace bitpilot

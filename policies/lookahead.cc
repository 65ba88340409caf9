#include "policies/lookahead.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/random_stream.h"

namespace bitpilot {
namespace {

// Taus less likely than that are left out.
constexpr double kLeastTauWeight = 0.05;

// Draws of what the readings will say, every second one the first's negative.
constexpr int kDraws = 64;

// A target counts when planning readings as far as it would raise the utility if its loss were that
// many standard deviations lower than is expected.
constexpr double kOptimism = 1.5;

// How many standard deviations a target that the search would end with now counts above its mean.
constexpr double kCaution = 0.7;

// Nats: what a factor's diagonal must exceed to divide by it.
constexpr double kSmallestLearned = 1e-9;

using Matrix = std::vector<std::vector<double>>;

// Takes in that reading `k` is known. loss_reading: [readings][targets]; reading_reading: [readings]^2.
void Condition(std::size_t k, double noise_variance, Matrix* loss_reading,
               Matrix* reading_reading) {
  const std::vector<double> with_loss = (*loss_reading)[k];
  const std::vector<double> with_reading = (*reading_reading)[k];
  const double variance = with_reading[k] + noise_variance;
  for (std::size_t i = 0; i < with_reading.size(); ++i) {
    const double gain = with_reading[i] / variance;
    if (gain == 0.0) continue;
    for (std::size_t j = 0; j < with_loss.size(); ++j) {
      (*loss_reading)[i][j] -= gain * with_loss[j];
    }
    for (std::size_t j = 0; j < with_reading.size(); ++j) {
      (*reading_reading)[i][j] -= gain * with_reading[j];
    }
  }
}

// Lower triangular, its product with its transpose is `covariance` ([n][<= n]): Cholesky's, with
// columns of zeros where nothing is left.
Matrix FactorOf(Matrix covariance) {
  for (std::size_t i = 0; i < covariance.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = covariance[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= covariance[i][k] * covariance[j][k];
      const double diagonal = covariance[j][j];
      if (i == j) {
        covariance[i][i] = std::sqrt(std::max(sum, 0.0));
      } else {
        covariance[i][j] = diagonal > kSmallestLearned ? sum / diagonal : 0.0;
      }
    }
  }
  return covariance;
}

}  // namespace

Lookahead::Lookahead(const LossBelief& belief, const TrainedState& current,
                     std::vector<Choice> targets, SearchLeft left, double loss_error,
                     Utility utility)
    : belief_(belief),
      targets_(std::move(targets)),
      left_(std::move(left)),
      noise_variance_(LossBelief::ReadingVariance(loss_error)),
      utility_(std::move(utility)) {
  BITPILOT_CHECK(!targets_.empty());
  const auto weights = belief.TauWeights();
  double sum = 0.0;
  for (std::size_t tau = 0; tau < weights.size(); ++tau) {
    if (weights[tau] < kLeastTauWeight) continue;
    taus_.push_back({tau, weights[tau]});
    sum += weights[tau];
  }
  for (LikelyTau& tau : taus_) tau.weight /= sum;
  WeighTargets(current);
  for (int draw = 0; draw < kDraws; draw += 2) {
    RandomStream random(1, "lookahead", static_cast<std::uint64_t>(draw));
    std::vector<double> normal;
    std::vector<double> opposite;
    for (std::size_t j = 0; j < targets_.size(); ++j) {
      normal.push_back(random.NextNormal());
      opposite.push_back(-normal.back());
    }
    draws_.push_back(std::move(normal));
    draws_.push_back(std::move(opposite));
  }
}

void Lookahead::WeighTargets(const TrainedState& current) {
  const std::vector<PredictedLoss> final = Final(current);
  std::vector<double> mean;
  for (const PredictedLoss& loss : final) mean.push_back(loss.mean);
  const double expected = utility_(mean);
  double sum = 0.0;
  for (std::size_t j = 0; j < mean.size(); ++j) {
    std::vector<double> losses = mean;
    losses[j] -= kOptimism * final[j].standard_deviation;
    weights_.push_back(std::max(0.0, utility_(losses) - expected));
    sum += weights_.back();
  }
  for (double& weight : weights_) {
    weight = sum > 0.0 ? weight / sum : 1.0 / static_cast<double>(mean.size());
  }
}

std::vector<SparseFeatures> Lookahead::FinalFeatures(std::size_t tau, const Adaptation& adaptation,
                                                     int used) const {
  const double batches =
      left_.share_of_rest * left_.counted(used, left_.search_batches - used) + left_.final_batches;
  std::vector<SparseFeatures> features;
  features.reserve(targets_.size());
  for (const Choice& target : targets_) {
    features.push_back(
        belief_.Features(adaptation.After(target, batches, kAdaptationTaus[tau]), target));
  }
  return features;
}

Outlook Lookahead::OutlookOf(const TrainedState& state, const Choice& what, int batches,
                             const std::set<Choice>& read) const {
  BITPILOT_CHECK(batches >= 0 && batches <= left_.search_batches && left_.readings >= 1);
  const auto is_known = [&](const Choice& choice) { return batches == 0 && read.contains(choice); };
  std::vector<double> mean(targets_.size(), 0.0);
  std::vector<Covariances> covariances(taus_.size());
  for (std::size_t t = 0; t < taus_.size(); ++t) {
    const LikelyTau& tau = taus_[t];
    const GaussianBelief& gaussian = belief_.Given(tau.position);
    const Adaptation after =
        state[tau.position].After(what, left_.counted(0, batches), kAdaptationTaus[tau.position]);
    const std::vector<SparseFeatures> losses = FinalFeatures(tau.position, after, batches);
    for (std::size_t j = 0; j < losses.size(); ++j) {
      mean[j] += tau.weight * gaussian.Mean(losses[j]);
    }
    // The step's own reading first, then what may be read behind it. One that is known has no
    // unknowns.
    std::vector<SparseFeatures> readings(1);
    if (!is_known(what)) readings.front() = belief_.Features(after, what);
    for (std::size_t j = 0; left_.readings > 1 && j < targets_.size(); ++j) {
      if (targets_[j] == what || is_known(targets_[j])) continue;
      readings.push_back(belief_.Features(after, targets_[j]));
    }
    for (const SparseFeatures& reading : readings) {
      const std::vector<double> with = gaussian.CovarianceWith(reading);
      std::vector<double> with_losses;
      for (const SparseFeatures& loss : losses) with_losses.push_back(Dot(loss, with));
      std::vector<double> with_readings;
      for (const SparseFeatures& other : readings) with_readings.push_back(Dot(other, with));
      covariances[t].loss_reading.push_back(std::move(with_losses));
      covariances[t].reading_reading.push_back(std::move(with_readings));
    }
  }
  return {std::move(mean), FactorOf(PlanReadings(std::move(covariances)))};
}

std::vector<double> Lookahead::Learned(std::size_t k,
                                       const std::vector<Covariances>& covariances) const {
  std::vector<double> learned(targets_.size(), 0.0);
  for (std::size_t t = 0; t < taus_.size(); ++t) {
    const double factor =
        taus_[t].weight / std::sqrt(covariances[t].reading_reading[k][k] + noise_variance_);
    for (std::size_t j = 0; j < learned.size(); ++j) {
      learned[j] += factor * covariances[t].loss_reading[k][j];
    }
  }
  return learned;
}

double Lookahead::Spread(const std::vector<double>& learned) const {
  double mean = 0.0;
  double square = 0.0;
  for (std::size_t j = 0; j < learned.size(); ++j) {
    mean += weights_[j] * learned[j];
    square += weights_[j] * learned[j] * learned[j];
  }
  return square - mean * mean;
}

std::vector<std::vector<double>> Lookahead::PlanReadings(
    std::vector<Covariances> covariances) const {
  const std::size_t count = covariances.front().reading_reading.size();
  const int most = std::min({left_.readings, kPlannedReadings + 1, static_cast<int>(count)});
  std::vector<bool> is_read(count, false);
  std::size_t read = 0;
  std::vector<double> learned = Learned(0, covariances);
  Matrix taught(targets_.size());
  for (std::size_t j = 0; j < taught.size(); ++j) taught[j].resize(j + 1, 0.0);
  for (int planned = 0;; ++planned) {
    for (std::size_t i = 0; i < taught.size(); ++i) {
      for (std::size_t j = 0; j <= i; ++j) taught[i][j] += learned[i] * learned[j];
    }
    if (planned + 1 >= most) return taught;
    is_read[read] = true;
    for (Covariances& of_tau : covariances) {
      Condition(read, noise_variance_, &of_tau.loss_reading, &of_tau.reading_reading);
    }
    double widest = -1.0;
    for (std::size_t k = 1; k < count; ++k) {
      if (is_read[k]) continue;
      std::vector<double> of_k = Learned(k, covariances);
      const double spread = Spread(of_k);
      if (spread > widest) {
        widest = spread;
        learned = std::move(of_k);
        read = k;
      }
    }
  }
}

double Lookahead::Expect(const Outlook& outlook, const Utility& utility) const {
  double sum = 0.0;
  std::vector<double> losses(outlook.mean.size());
  for (const std::vector<double>& z : draws_) {
    for (std::size_t i = 0; i < losses.size(); ++i) {
      losses[i] = outlook.mean[i];
      for (std::size_t j = 0; j <= i; ++j) losses[i] += outlook.factor[i][j] * z[j];
    }
    sum += utility(losses);
  }
  return sum / static_cast<double>(draws_.size());
}

std::vector<PredictedLoss> Lookahead::Final(const TrainedState& state) const {
  std::vector<PredictedLoss> losses(targets_.size());
  std::vector<double> square(targets_.size(), 0.0);
  for (const LikelyTau& tau : taus_) {
    const GaussianBelief& gaussian = belief_.Given(tau.position);
    const std::vector<SparseFeatures> features =
        FinalFeatures(tau.position, state[tau.position], /*used=*/0);
    for (std::size_t j = 0; j < losses.size(); ++j) {
      const double mean = gaussian.Mean(features[j]);
      losses[j].mean += tau.weight * mean;
      square[j] += tau.weight * (mean * mean + gaussian.Variance(features[j]));
    }
  }
  for (std::size_t j = 0; j < losses.size(); ++j) {
    losses[j].standard_deviation =
        std::sqrt(std::max(0.0, square[j] - losses[j].mean * losses[j].mean));
  }
  return losses;
}

std::vector<double> Lookahead::CautiousFinalLosses(const TrainedState& state) const {
  std::vector<double> losses;
  for (const PredictedLoss& loss : Final(state)) {
    losses.push_back(loss.mean + kCaution * loss.standard_deviation);
  }
  return losses;
}

std::vector<double> Lookahead::FinalLosses(const TrainedState& state) const {
  std::vector<double> losses(targets_.size(), 0.0);
  for (const LikelyTau& tau : taus_) {
    const std::vector<SparseFeatures> features =
        FinalFeatures(tau.position, state[tau.position], /*used=*/0);
    for (std::size_t j = 0; j < losses.size(); ++j) {
      losses[j] += tau.weight * belief_.Given(tau.position).Mean(features[j]);
    }
  }
  return losses;
}

double Lookahead::ValueOfStopping(const TrainedState& state) const {
  return utility_(FinalLosses(state));
}

}  // namespace bitpilot

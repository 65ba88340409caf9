#include "policies/loss_belief.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// Of a probed sensitivity: what stays after training, what goes, and how unsure either is.
constexpr double kStaysShare = 0.3;
constexpr double kStaysSpread = 0.25;
constexpr double kGoesShare = 0.7;
constexpr double kGoesSpread = 0.35;
// What a network whose weights have adapted to nothing loses, whatever was probed: nats over all
// variables; half of it is the spread.
constexpr double kUnadaptedLoss = 0.2;
constexpr double kSmallestSpread = 1e-3;  // nats

// What an additive model of the loss cannot say, nats.
constexpr double kMisfit = 0.003;

// Each reading counts that much less than the one after it when deviations are calibrated.
constexpr double kCalibrationMemory = 0.95;

GaussianBelief Prior(const std::vector<DecisionVariable>& variables) {
  std::vector<double> stays;
  std::vector<double> stays_spread;
  std::vector<double> goes;
  std::vector<double> goes_spread;
  const double unadapted = kUnadaptedLoss / static_cast<double>(variables.size());
  for (const DecisionVariable& variable : variables) {
    BITPILOT_CHECK(variable.sensitivity.size() == variable.widths.size());
    for (const double sensitivity : variable.sensitivity) {
      const double probed = std::max(0.0, sensitivity);
      stays.push_back(kStaysShare * probed);
      stays_spread.push_back(kStaysSpread * probed + kSmallestSpread);
      goes.push_back(kGoesShare * probed + unadapted);
      goes_spread.push_back(kGoesSpread * probed + 0.5 * unadapted + kSmallestSpread);
    }
  }
  stays.insert(stays.end(), goes.begin(), goes.end());
  stays_spread.insert(stays_spread.end(), goes_spread.begin(), goes_spread.end());
  return {std::move(stays), stays_spread};
}

// One Adaptation for each tau, made by f(position of the tau).
template <class F, std::size_t... kTau>
TrainedState ForEachTau(F f, std::index_sequence<kTau...>) {
  return {f(kTau)...};
}
template <class F>
TrainedState ForEachTau(F f) {
  return ForEachTau(f, std::make_index_sequence<kAdaptationTaus.size()>());
}

}  // namespace

LossBelief::LossBelief(const std::vector<DecisionVariable>& variables)
    : index_(std::make_shared<const WidthIndex>(variables)),
      gaussians_(kAdaptationTaus.size(), Prior(variables)) {}

TrainedState LossBelief::Start() const {
  return ForEachTau([this](std::size_t) { return Adaptation(*index_); });
}

TrainedState LossBelief::After(const TrainedState& state, const Choice& choice,
                               double batches) const {
  return ForEachTau(
      [&](std::size_t tau) { return state[tau].After(choice, batches, kAdaptationTaus[tau]); });
}

SparseFeatures LossBelief::Features(const Adaptation& adaptation, const Choice& choice) const {
  const std::vector<double> missing = adaptation.Missing(choice);
  SparseFeatures features;
  features.reserve(2 * choice.size());
  for (int i = 0; i < index_->num_variables(); ++i) {
    features.emplace_back(index_->Of(i, choice[AsIndex(i)]), 1.0);
  }
  for (int i = 0; i < index_->num_variables(); ++i) {
    features.emplace_back(index_->num_widths() + index_->Of(i, choice[AsIndex(i)]),
                          missing[AsIndex(i)]);
  }
  return features;
}

double LossBelief::ReadingVariance(double loss_error) {
  BITPILOT_CHECK(loss_error > 0.0);
  return loss_error * loss_error + kMisfit * kMisfit;
}

void LossBelief::Observe(const TrainedState& state, const Choice& choice, double excess_loss,
                         double loss_error) {
  const double noise_variance = ReadingVariance(loss_error);
  const PredictedLoss predicted = PredictUncalibrated(state, choice);
  const double surprise = excess_loss - predicted.mean;
  const double variance =
      predicted.standard_deviation * predicted.standard_deviation + loss_error * loss_error;
  surprises_ = kCalibrationMemory * surprises_ + surprise * surprise / variance;
  num_surprises_ = kCalibrationMemory * num_surprises_ + 1.0;
  for (std::size_t tau = 0; tau < gaussians_.size(); ++tau) {
    log_evidence_[tau] +=
        gaussians_[tau].Observe(Features(state[tau], choice), excess_loss, noise_variance);
  }
}

void LossBelief::Anticipate(const TrainedState& state, const Choice& choice, double loss_error) {
  const double noise_variance = ReadingVariance(loss_error);
  for (std::size_t tau = 0; tau < gaussians_.size(); ++tau) {
    gaussians_[tau].Anticipate(Features(state[tau], choice), noise_variance);
  }
}

std::array<double, kAdaptationTaus.size()> LossBelief::TauWeights() const {
  const double largest = *std::max_element(log_evidence_.begin(), log_evidence_.end());
  std::array<double, kAdaptationTaus.size()> weights{};
  double sum = 0.0;
  for (std::size_t tau = 0; tau < weights.size(); ++tau) {
    weights[tau] = PlainExp(log_evidence_[tau] - largest);
    sum += weights[tau];
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

double LossBelief::CalibrationOfDeviations() const {
  return std::sqrt(surprises_ / num_surprises_);
}

PredictedLoss LossBelief::Predict(const TrainedState& state, const Choice& choice) const {
  PredictedLoss predicted = PredictUncalibrated(state, choice);
  predicted.standard_deviation *= CalibrationOfDeviations();
  return predicted;
}

PredictedLoss LossBelief::PredictUncalibrated(const TrainedState& state,
                                              const Choice& choice) const {
  const std::array<double, kAdaptationTaus.size()> weights = TauWeights();
  double mean = 0.0;
  double square = 0.0;
  for (std::size_t tau = 0; tau < gaussians_.size(); ++tau) {
    const SparseFeatures features = Features(state[tau], choice);
    const double of_tau = gaussians_[tau].Mean(features);
    mean += weights[tau] * of_tau;
    square += weights[tau] * (of_tau * of_tau + gaussians_[tau].Variance(features));
  }
  return {mean, std::sqrt(std::max(0.0, square - mean * mean) + kMisfit * kMisfit)};
}

}  // namespace bitpilot

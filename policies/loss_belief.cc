#include "policies/loss_belief.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// Of a probed sensitivity: what stays after training and what goes, and how unsure their logarithms are.
constexpr double kStaysShare = 0.3;
constexpr double kStaysDeviation = 0.8;
constexpr double kGoesShare = 0.7;
constexpr double kGoesDeviation = 0.5;
// Nats over all variables, whatever was probed: what a network loses whose weights have adapted to
// nothing, and what stays of that at least.
constexpr double kUnadaptedLoss = 0.2;
constexpr double kLeastLoss = 0.01;

// What an additive model of the loss cannot say, nats: also of a reading that is known exactly.
constexpr double kMisfit = 0.005;

// Each reading counts that much less than the one after it when deviations are calibrated.
constexpr double kCalibrationMemory = 0.95;

LognormalBelief Prior(const std::vector<DecisionVariable>& variables) {
  std::vector<double> stays;
  std::vector<double> goes;
  const double share = 1.0 / static_cast<double>(variables.size());
  for (const DecisionVariable& variable : variables) {
    BITPILOT_CHECK(variable.sensitivity.size() == variable.widths.size());
    for (const double sensitivity : variable.sensitivity) {
      const double probed = std::max(0.0, sensitivity);
      stays.push_back(kStaysShare * probed + share * kLeastLoss);
      goes.push_back(kGoesShare * probed + share * kUnadaptedLoss);
    }
  }
  std::vector<double> deviation(stays.size(), kStaysDeviation);
  deviation.resize(stays.size() + goes.size(), kGoesDeviation);
  stays.insert(stays.end(), goes.begin(), goes.end());
  return {stays, deviation};
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
      beliefs_(kAdaptationTaus.size(), Prior(variables)) {}

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
  for (std::size_t tau = 0; tau < beliefs_.size(); ++tau) {
    beliefs_[tau].Observe(Features(state[tau], choice), excess_loss, noise_variance);
  }
}

void LossBelief::Anticipate(const TrainedState& state, const Choice& choice, double loss_error) {
  const double noise_variance = ReadingVariance(loss_error);
  for (std::size_t tau = 0; tau < beliefs_.size(); ++tau) {
    beliefs_[tau].Anticipate(Features(state[tau], choice), noise_variance);
  }
}

std::array<double, kAdaptationTaus.size()> LossBelief::TauWeights() const {
  double largest = beliefs_.front().log_evidence();
  for (const LognormalBelief& belief : beliefs_) {
    largest = std::max(largest, belief.log_evidence());
  }
  std::array<double, kAdaptationTaus.size()> weights{};
  double sum = 0.0;
  for (std::size_t tau = 0; tau < weights.size(); ++tau) {
    weights[tau] = PlainExp(beliefs_[tau].log_evidence() - largest);
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
  for (std::size_t tau = 0; tau < beliefs_.size(); ++tau) {
    const SparseFeatures features = Features(state[tau], choice);
    const double of_tau = beliefs_[tau].Mean(features);
    mean += weights[tau] * of_tau;
    square += weights[tau] * (of_tau * of_tau + beliefs_[tau].Variance(features));
  }
  return {mean, std::sqrt(std::max(0.0, square - mean * mean) + kMisfit * kMisfit)};
}

}  // namespace bitpilot

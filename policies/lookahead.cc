#include "policies/lookahead.h"

#include <array>
#include <cmath>
#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// Gauss-Hermite points and weights of a standard normal variable.
struct Node {
  double z;
  double weight;
};
constexpr std::array<Node, 5> kNodes = {{{-2.8569700138728056, 0.01125741132772069},
                                         {-1.3556261799742659, 0.22207592200561266},
                                         {0.0, 0.53333333333333333},
                                         {1.3556261799742659, 0.22207592200561266},
                                         {2.8569700138728056, 0.01125741132772069}}};

// Taus less likely than that are left out.
constexpr double kLeastTauWeight = 0.05;

}  // namespace

Lookahead::Lookahead(const LossBelief& belief, std::vector<Choice> targets, TrainingLeft left,
                     double loss_error, Utility utility)
    : belief_(belief),
      targets_(std::move(targets)),
      left_(std::move(left)),
      noise_variance_(LossBelief::ReadingVariance(loss_error)),
      utility_(std::move(utility)) {
  const auto weights = belief.TauWeights();
  double sum = 0.0;
  for (std::size_t tau = 0; tau < weights.size(); ++tau) {
    if (weights[tau] < kLeastTauWeight) continue;
    taus_.push_back({tau, weights[tau]});
    sum += weights[tau];
  }
  for (LikelyTau& tau : taus_) tau.weight /= sum;
}

std::vector<SparseFeatures> Lookahead::FinalFeatures(std::size_t tau, const Adaptation& adaptation,
                                                     int used) const {
  const double batches = left_.counted(used, left_.search_batches - used) + left_.final_batches;
  std::vector<SparseFeatures> features;
  features.reserve(targets_.size());
  for (const Choice& target : targets_) {
    features.push_back(
        belief_.Features(adaptation.After(target, batches, kAdaptationTaus[tau]), target));
  }
  return features;
}

void Lookahead::AddOutlook(const LikelyTau& tau, const Adaptation& adaptation, const Choice& what,
                           int batches, Outlook* outlook) const {
  const GaussianBelief& gaussian = belief_.Given(tau.position);
  const Adaptation after =
      adaptation.After(what, left_.counted(0, batches), kAdaptationTaus[tau.position]);
  const SparseFeatures reading = belief_.Features(after, what);
  const std::vector<double> with_reading = gaussian.CovarianceWith(reading);
  const double spread = std::sqrt(Dot(reading, with_reading) + noise_variance_);
  const std::vector<SparseFeatures> features = FinalFeatures(tau.position, after, batches);
  for (std::size_t j = 0; j < features.size(); ++j) {
    outlook->mean[j] += tau.weight * gaussian.Mean(features[j]);
    outlook->learned[j] += tau.weight * Dot(features[j], with_reading) / spread;
  }
}

double Lookahead::Value(const TrainedState& state, const Choice& what, int batches) const {
  BITPILOT_CHECK(batches >= 0 && batches <= left_.search_batches);
  Outlook outlook{std::vector<double>(targets_.size(), 0.0),
                  std::vector<double>(targets_.size(), 0.0)};
  for (const LikelyTau& tau : taus_) {
    AddOutlook(tau, state[tau.position], what, batches, &outlook);
  }
  double value = 0.0;
  std::vector<double> losses(targets_.size());
  for (const Node& node : kNodes) {
    for (std::size_t j = 0; j < losses.size(); ++j) {
      losses[j] = outlook.mean[j] + outlook.learned[j] * node.z;
    }
    value += node.weight * utility_(losses);
  }
  return value;
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

#include "policies/lookahead.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"

namespace bitpilot {
namespace {

// Taus that stand for all: those at so many evenly spaced shares of what is believed.
constexpr int kTaus = 5;

// Draws of what the readings will say, every second one the first's negative.
constexpr int kDraws = 64;

// A target counts when planning readings as far as it would raise the utility if its loss were that
// many standard deviations lower than is expected.
constexpr double kOptimism = 1.5;

// Nats: what a factor's diagonal must exceed to divide by it.
constexpr double kSmallestLearned = 1e-9;

// Nats^2: readings that tell targets apart by less are not planned.
constexpr double kSmallestSpread = 1e-12;

using Matrix = std::vector<std::vector<double>>;

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

std::vector<Choice> ProbesOf(const Choice& trained, const std::vector<Choice>& choices,
                             const WidthIndex& index) {
  std::vector<Choice> probes;
  for (std::size_t i = 0; i < trained.size() && std::ssize(probes) < kMaxProbes; ++i) {
    const bool differ = std::any_of(choices.begin(), choices.end(), [&](const Choice& choice) {
      return choice[i] != choices.front()[i];
    });
    const std::vector<int>& widths = index.widths(static_cast<int>(i));
    const int widest = *std::max_element(widths.begin(), widths.end());
    if (!differ || trained[i] == widest) continue;
    Choice probe = trained;
    probe[i] = widest;
    if (std::find(choices.begin(), choices.end(), probe) == choices.end()) {
      probes.push_back(std::move(probe));
    }
  }
  return probes;
}

Choice NarrowestOf(const std::vector<Choice>& choices) {
  BITPILOT_CHECK(!choices.empty());
  Choice narrowest = choices.front();
  for (const Choice& choice : choices) {
    for (std::size_t i = 0; i < choice.size(); ++i) {
      narrowest[i] = std::min(narrowest[i], choice[i]);
    }
  }
  return narrowest;
}

Lookahead::Lookahead(const LossBelief& belief, const TrainedState& current,
                     std::vector<Choice> targets, SearchLeft left, ReadingErrorFunction loss_error,
                     Utility utility)
    : belief_(belief),
      targets_(std::move(targets)),
      left_(std::move(left)),
      loss_error_(std::move(loss_error)),
      utility_(std::move(utility)) {
  BITPILOT_CHECK(!targets_.empty());
  FindLikelyTaus();
  TakeTwin();
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

void Lookahead::FindLikelyTaus() {
  const auto weights = belief_.TauWeights();
  std::size_t tau = 0;
  double below = 0.0;
  for (int k = 0; k < kTaus; ++k) {
    const double share = (k + 0.5) / kTaus;
    while (tau + 1 < weights.size() && below + weights[tau] < share) below += weights[tau++];
    if (taus_.empty() || taus_.back().position != tau) taus_.push_back({tau, 0.0});
    taus_.back().weight += 1.0 / kTaus;
  }
}

void Lookahead::WeighTargets(const TrainedState& current) {
  std::vector<double> mean(targets_.size(), 0.0);
  std::vector<double> square(targets_.size(), 0.0);
  for (const LikelyTau& tau : taus_) {
    const LognormalBelief& belief = belief_.Given(tau.position);
    const std::vector<SparseFeatures> features =
        FinalFeatures(tau.position, current[tau.position], Rest(/*used=*/0));
    for (std::size_t j = 0; j < mean.size(); ++j) {
      const double of_tau = belief.Mean(features[j]);
      mean[j] += tau.weight * of_tau;
      square[j] += tau.weight * (of_tau * of_tau + belief.Variance(features[j]));
    }
  }
  const double expected = utility_(mean);
  double sum = 0.0;
  std::vector<double> losses = mean;
  for (std::size_t j = 0; j < mean.size(); ++j) {
    losses[j] -= kOptimism * std::sqrt(std::max(0.0, square[j] - mean[j] * mean[j]));
    weights_.push_back(std::max(0.0, utility_(losses) - expected));
    sum += weights_.back();
    losses[j] = mean[j];
  }
  for (double& weight : weights_) {
    weight = sum > 0.0 ? weight / sum : 1.0 / static_cast<double>(mean.size());
  }
}

double Lookahead::Rest(int used) const {
  return left_.share_of_rest * left_.counted(used, left_.search_batches - used) +
         left_.final_batches;
}

SparseFeatures Lookahead::FeaturesAfter(std::size_t tau, const Adaptation& adaptation,
                                        const Choice& target, double batches) const {
  // Training at a target leaves that share of what its own widths miss.
  const double kept = PlainExp(-batches / kAdaptationTaus[tau]);
  SparseFeatures features = belief_.Features(adaptation, target);
  for (std::size_t i = target.size(); i < features.size(); ++i) features[i].second *= kept;
  return features;
}

void Lookahead::TakeTwin() {
  if (!left_.twin) return;
  for (const LikelyTau& tau : taus_) {
    FromTwin& from_twin = from_twin_[tau.position];
    for (const Choice& target : targets_) {
      from_twin.features.push_back(
          FeaturesAfter(tau.position, (*left_.twin)[tau.position], target, left_.final_batches));
      from_twin.losses.push_back(belief_.Given(tau.position).Mean(from_twin.features.back()));
    }
  }
}

std::vector<SparseFeatures> Lookahead::FinalFeatures(std::size_t tau, const Adaptation& adaptation,
                                                     double batches) const {
  std::vector<SparseFeatures> features;
  features.reserve(targets_.size());
  const auto from_twin = from_twin_.find(tau);
  for (std::size_t j = 0; j < targets_.size(); ++j) {
    features.push_back(FeaturesAfter(tau, adaptation, targets_[j], batches));
    if (from_twin == from_twin_.end()) continue;
    if (from_twin->second.losses[j] < belief_.Given(tau).Mean(features.back())) {
      features.back() = from_twin->second.features[j];
    }
  }
  return features;
}

// --- planning ---

std::vector<Choice> Lookahead::Unread(const std::set<Choice>& read,
                                      const std::vector<Choice>& beside) const {
  std::vector<Choice> unread;
  for (const std::vector<Choice>* choices : {&targets_, &beside}) {
    for (const Choice& choice : *choices) {
      if (!read.contains(choice)) unread.push_back(choice);
    }
  }
  return unread;
}

Outlook Lookahead::OutlookOfReading(const TrainedState& state, const std::set<Choice>& read,
                                    const std::vector<Choice>& beside) const {
  BITPILOT_CHECK(left_.readings >= 1);
  return Plan(state, {.readings = left_.readings, .before = Unread(read, beside)});
}

Outlook Lookahead::OutlookOf(const TrainedState& state, const Choice& what, int batches,
                             const std::set<Choice>& read,
                             const std::vector<Choice>& beside) const {
  BITPILOT_CHECK(batches >= 0 && batches <= left_.search_batches && left_.readings >= 1);
  Step step{.what = &what,
            .batches = batches,
            .readings = left_.readings,
            .before = Unread(read, beside)};
  if (batches > 0) {
    step.after = Unread({what}, ProbesOf(what, targets_, belief_.index()));
    step.after.push_back(what);
    step.forced = step.before.size() + step.after.size() - 1;
  } else if (read.contains(what)) {
    --step.readings;  // it is read for nothing
  } else {
    const auto at = std::find(step.before.begin(), step.before.end(), what);
    step.forced = static_cast<std::size_t>(at - step.before.begin());
    if (at == step.before.end()) step.before.push_back(what);
  }
  return Plan(state, step);
}

Outlook Lookahead::Plan(const TrainedState& state, const Step& step) const {
  const std::size_t num_targets = targets_.size();
  const std::size_t num_before = step.before.size();
  const std::size_t num_readings = num_before + step.after.size();
  const double rest = Rest(step.batches);
  const double trained = left_.counted(0, step.batches);
  std::vector<double> mean(num_targets, 0.0);
  std::vector<double> read(num_readings, 0.0);  // expected
  std::vector<Covariances> covariances;
  std::vector<LognormalBelief::Combination> all;
  for (const LikelyTau& tau : taus_) {
    const LognormalBelief& belief = belief_.Given(tau.position);
    const Adaptation& now = state[tau.position];
    const Adaptation after =
        step.batches > 0 ? now.After(*step.what, trained, kAdaptationTaus[tau.position]) : now;
    all.clear();
    for (const SparseFeatures& loss : FinalFeatures(tau.position, after, rest)) {
      mean[all.size()] += tau.weight * belief.Mean(loss);
      all.push_back(belief.Combine(loss));
    }
    const auto add_reading = [&](const SparseFeatures& loss) {
      read[all.size() - num_targets] += tau.weight * belief.Mean(loss);
      all.push_back(belief.Combine(loss));
    };
    for (const Choice& choice : step.before) add_reading(belief_.Features(now, choice));
    for (const Choice& choice : step.after) add_reading(belief_.Features(after, choice));
    Covariances& of_tau = covariances.emplace_back();
    of_tau.num_columns = all.size();
    of_tau.values.resize(num_readings * all.size());
    for (std::size_t i = 0; i < num_readings; ++i) {
      for (std::size_t j = 0; j <= num_targets + i; ++j) {
        const double covariance = LognormalBelief::Covariance(all[num_targets + i], all[j]);
        of_tau.Row(i)[j] = covariance;
        if (j >= num_targets) of_tau.Row(j - num_targets)[num_targets + i] = covariance;
      }
    }
  }

  std::vector<double> noise_variance;
  for (const double excess : read) {
    noise_variance.push_back(LossBelief::ReadingVariance(loss_error_(excess)));
  }
  Outlook outlook;
  Matrix taught(num_targets);
  for (std::size_t j = 0; j < num_targets; ++j) taught[j].resize(j + 1, 0.0);
  std::vector<bool> is_read(num_readings, false);
  std::vector<double> learned(num_targets);
  std::vector<double> most_learned(num_targets);
  double widest_before = 0.0;
  for (int planned = 0; planned < std::min(step.readings, kPlannedReadings); ++planned) {
    double widest = kSmallestSpread;
    std::optional<std::size_t> next;
    for (std::size_t k = 0; k < num_readings; ++k) {
      const bool is_forced = planned == 0 && step.forced == k;
      if (is_read[k] || (planned == 0 && step.forced && !is_forced)) continue;
      Learned(k, noise_variance[k], covariances, &learned);
      const double spread = Spread(learned);
      if (spread > widest || is_forced) {
        widest = spread;
        next = k;
        most_learned.swap(learned);
      }
    }
    if (!next) break;
    is_read[*next] = true;
    if (*next < num_before && (!outlook.read_first || widest > widest_before)) {
      widest_before = widest;
      outlook.read_first = step.before[*next];
    }
    for (std::size_t i = 0; i < num_targets; ++i) {
      for (std::size_t j = 0; j <= i; ++j) taught[i][j] += most_learned[i] * most_learned[j];
    }
    for (Covariances& of_tau : covariances) {
      const double* known = of_tau.Row(*next);
      const double variance = known[num_targets + *next] + noise_variance[*next];
      for (std::size_t i = 0; i < num_readings; ++i) {
        if (is_read[i]) continue;
        double* row = of_tau.Row(i);
        const double gain = row[num_targets + *next] / variance;
        for (std::size_t j = 0; j < of_tau.num_columns; ++j) row[j] -= gain * known[j];
      }
    }
  }

  const Matrix factor = FactorOf(std::move(taught));
  for (const std::vector<double>& z : draws_) {
    std::vector<double>& losses = outlook.losses.emplace_back(mean);
    for (std::size_t i = 0; i < num_targets; ++i) {
      for (std::size_t j = 0; j <= i; ++j) losses[i] += factor[i][j] * z[j];
    }
  }
  return outlook;
}

void Lookahead::Learned(std::size_t k, double noise_variance,
                        const std::vector<Covariances>& covariances,
                        std::vector<double>* learned) const {
  std::fill(learned->begin(), learned->end(), 0.0);
  for (std::size_t t = 0; t < taus_.size(); ++t) {
    const double* row = covariances[t].Row(k);
    const double variance = std::max(row[learned->size() + k], 0.0) + noise_variance;
    const double factor = taus_[t].weight / std::sqrt(variance);
    for (std::size_t j = 0; j < learned->size(); ++j) (*learned)[j] += factor * row[j];
  }
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

double Lookahead::Expect(const Outlook& outlook, const Utility& utility) {
  double sum = 0.0;
  for (const std::vector<double>& losses : outlook.losses) sum += utility(losses);
  return sum / static_cast<double>(outlook.losses.size());
}

std::vector<double> Lookahead::FinalLosses(const TrainedState& state) const {
  std::vector<double> losses(targets_.size(), 0.0);
  for (const LikelyTau& tau : taus_) {
    const std::vector<SparseFeatures> features =
        FinalFeatures(tau.position, state[tau.position], Rest(/*used=*/0));
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

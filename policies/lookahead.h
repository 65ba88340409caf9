// Lookahead: what a step of training and reading is worth for the network that the search ends with.
//
// Training moves the weights towards the widths that it trains at and away from others, and a reading
// teaches about all widths that share something with it. A step is worth what one would get by it if
// from then on the search were finished in the simplest way that is any good, by the base policy:
//
//   base policy   read the readings that are left on the weights as the step leaves them, training
//                 nothing; then train the target that looks best with all mini-batches that are left
//
// To take the best step by that value, and to ask again at the next decision, is policy improvement:
// as far as the model holds, it does at least as well as the base policy, which is the search before
// training. Training early is worth its mini-batches only where it makes the readings say more.
//
// What the planned readings will say is not known, but how much they teach is, for a Gaussian: the
// covariance after them does not depend on their values.
//
//   state after the step, then all that is left trained at target j      ->  mean loss mu_j
//   planned reading k, given those before it:  c_kj = cov(loss of j at the end, reading k)
//                                                     / sqrt(var(reading k) + noise^2)
//   value = E of U(mu + s),  s normal with covariance sum over k of c_k c_k^T
//
// The first reading is the step's own, the others are of targets, each at most once: the same widths on
// the same weights read the same. At each point it is the one that tells those apart best which may
// win. mu and c are means over the likely taus: which tau holds does not
// become known, and a step that teaches nothing is worth no more than none. The draws of s are the
// same ones for all steps, so that a difference of two values is not noise.
//
// Source: rollout as policy improvement, Bertsekas, Tsitsiklis and Wu, Journal of Heuristics 3, 1997;
// with no planned readings this is the knowledge gradient for correlated beliefs, Frazier, Powell and
// Dayanik, INFORMS Journal on Computing 21(4), 2009.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "policies/loss_belief.h"
#include "policies/search_problem.h"

namespace bitpilot {

// What is left to spend, and how training counts.
struct SearchLeft {
  int readings = 0;        // the step's own included
  int search_batches = 0;  // of the search's budget; 0 where it trains nothing
  // That every finalist trains after it, each counted by its share of the learning rate.
  double final_batches = 0.0;
  // Mini-batches, counted in the same way, of the `count` ones that follow `from` more of the search's.
  std::function<double(int from, int count)> counted = [](int, int count) -> double {
    return count;
  };
  // Of what the search does not spend, the share that a target gets: 1 where one network is wanted,
  // less where several share the place that the search ends at.
  double share_of_rest = 1.0;
};

// Readings beyond the step's own that are planned; further ones are not counted on.
inline constexpr int kPlannedReadings = 24;

// What is expected of the targets' losses at the end, and how that may change by what is learned: the
// expected losses will be mean + factor z, z independent standard normal.
struct Outlook {
  std::vector<double> mean;                 // [targets]
  std::vector<std::vector<double>> factor;  // [targets][<= target]
};

class Lookahead {
 public:
  // Larger is better. losses: excess loss of each target at the end, [targets].
  using Utility = std::function<double(const std::vector<double>& losses)>;

  // belief: must outlive this object. current: of the weights that most steps would go on from.
  // targets: networks that the search may end with, at least one.
  //
  // loss_error: standard error of a reading, nats. REQUIRES: > 0.
  Lookahead(const LossBelief& belief, const TrainedState& current, std::vector<Choice> targets,
            SearchLeft left, double loss_error, Utility utility);

  // Of training `batches` at `what` from weights in `state` and reading the loss there, then the base
  // policy. O(targets^2 x readings) for each likely tau, readings at most kPlannedReadings.
  //
  // read: widths whose loss is known on weights in `state`: without training there, reading them again
  // teaches nothing.
  //
  // REQUIRES: 0 <= batches <= SearchLeft::search_batches; SearchLeft::readings >= 1.
  double Value(const TrainedState& state, const Choice& what, int batches,
               const std::set<Choice>& read = {}) const {
    return Expect(OutlookOf(state, what, batches, read), utility_);
  }
  // The same in two halves, for a step that also changes the utility, as measuring does.
  Outlook OutlookOf(const TrainedState& state, const Choice& what, int batches,
                    const std::set<Choice>& read = {}) const;
  double Expect(const Outlook& outlook, const Utility& utility) const;

  // Of reading nothing more and training the rest from `state` at what looks best now.
  double ValueOfStopping(const TrainedState& state) const;

  // Expected excess loss of each target if all that is left trains it from `state`: [targets].
  std::vector<double> FinalLosses(const TrainedState& state) const;

  // The same for choosing one of them: an unsure loss counts some way above its mean. The lowest of
  // many means is mostly one that errs on the low side, the more so where the prior is not the truth.
  std::vector<double> CautiousFinalLosses(const TrainedState& state) const;

  // How much each target counts when readings are planned: by how much its loss, lower than is
  // expected by as much as is well possible, would raise the utility. [targets], sum 1.
  const std::vector<double>& weights() const { return weights_; }

 private:
  // Position of a tau in kAdaptationTaus, and its weight.
  struct LikelyTau {
    std::size_t position;
    double weight;
  };
  // What one tau expects of the readings that may be planned, given those that are already: the
  // step's own, then one of each other target that is not known.
  struct Covariances {
    std::vector<std::vector<double>> loss_reading;     // [readings][targets]
    std::vector<std::vector<double>> reading_reading;  // [readings][readings]
  };

  void WeighTargets(const TrainedState& current);
  std::vector<PredictedLoss> Final(const TrainedState& state) const;
  // What reading `k` teaches of each target's loss, now: c_kj, the mean over the taus.
  std::vector<double> Learned(std::size_t k, const std::vector<Covariances>& covariances) const;
  // How well it tells the targets apart.
  double Spread(const std::vector<double>& learned) const;
  // Covariance of the targets' mean losses after the step's reading and all planned ones, as known
  // now, sum over k of c_k c_k^T: [targets][<= target].
  std::vector<std::vector<double>> PlanReadings(std::vector<Covariances> covariances) const;
  // Features of each target after all that is left behind the first `used` mini-batches.
  std::vector<SparseFeatures> FinalFeatures(std::size_t tau, const Adaptation& adaptation,
                                            int used) const;

  const LossBelief& belief_;
  std::vector<Choice> targets_;
  SearchLeft left_;
  double noise_variance_;
  Utility utility_;
  std::vector<LikelyTau> taus_;
  std::vector<double> weights_;             // [targets], sum 1
  std::vector<std::vector<double>> draws_;  // [draws][targets], standard normal
};

}  // namespace bitpilot

// Lookahead: what a step of training and reading is worth for the network that the search ends with.
//
// Training moves the weights towards the widths that it trains at and away from others, and a reading
// teaches about all widths that share something with it. A step is worth what one would get by it if
// from then on the search were finished in the simplest way that is any good, by the base policy:
//
//   base policy   read the readings that are left on the weights as they are, training nothing; then
//                 train the target that looks best with all mini-batches that are left
//   step          train m mini-batches at some widths, once, at the best time: so many of the readings
//                 before it, on the weights as they are, the others on the weights that it leaves
//
// To take the best step by that value, and to ask again at the next decision, is policy improvement:
// as far as the model holds, it does at least as well as the base policy, which is the search before
// training. Training early is worth its mini-batches only where it makes the readings say more: on
// untrained weights nothing tells what will stay of a loss from what training will take away. A step
// that should not train yet says what to read first.
//
// What the planned readings will say is not known, but how much they teach is, where losses are linear
// in what is not known and that is normal: the covariance after them does not depend on their values.
//
//   state after the step, then all that is left trained at target j      ->  mean loss mu_j
//   or from the twin's weights the final training alone, if that is lower
//   planned reading k, given those before it:  c_kj = cov(loss of j at the end, reading k)
//                                                     / sqrt(var(reading k) + noise_k^2)
//   value = E of U(mu + s),  s normal with covariance sum over k of c_k c_k^T
//
// Readings are of targets, and of what trained last with one variable at its widest; each at most once on
// the same weights, where it would read the same. At each point it is the one that tells those apart best which may win. mu and c are
// means over the taus: which tau holds does not become known, and a step that teaches nothing is worth
// no more than none. The draws of s are the same ones for all steps, so that a difference of two values
// is not noise.
//
// Source: rollout as policy improvement, Bertsekas, Tsitsiklis and Wu, Journal of Heuristics 3, 1997;
// with no planned readings this is the knowledge gradient for correlated beliefs, Frazier, Powell and
// Dayanik, INFORMS Journal on Computing 21(4), 2009.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
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
  // Weights that the final training of a target may begin from as well, whichever are better for it:
  // uniform 8 bit's, which trained alone. Absent: there are none.
  std::optional<TrainedState> twin = std::nullopt;
};

// Readings that are planned; further ones are not counted on.
inline constexpr int kPlannedReadings = 24;

// What a step is expected to lead to.
struct Outlook {
  // The targets' expected losses once all planned readings are known, equally likely: [draws][targets].
  std::vector<std::vector<double>> losses;
  // What to read next, on the weights as they are: what tells most. Of a step that trains: absent if no
  // reading is worth more before it than after it.
  std::optional<Choice> read_first;
};

// The narrowest width of each variable among `choices`: what training there teaches, and what it adapts,
// serves all of them. REQUIRES: at least one.
Choice NarrowestOf(const std::vector<Choice>& choices);

// `trained` with one variable at its widest width, for each variable in which `choices` differ, the first
// kMaxProbes: read on weights that trained at `trained`, they tell what stays of that variable's loss there.
inline constexpr int kMaxProbes = 16;
std::vector<Choice> ProbesOf(const Choice& trained, const std::vector<Choice>& choices,
                             const WidthIndex& index);

// Standard error of a reading by its expected excess loss; both in nats.
using ReadingErrorFunction = std::function<double(double excess)>;

class Lookahead {
 public:
  // Larger is better. losses: excess loss of each target at the end, [targets].
  using Utility = std::function<double(const std::vector<double>& losses)>;

  // belief: must outlive this object. current: of the weights that most steps would go on from.
  // targets: networks that the search may end with, at least one.
  //
  // loss_error: standard error of a reading of what it expects. REQUIRES: > 0, whatever it expects.
  Lookahead(const LossBelief& belief, const TrainedState& current, std::vector<Choice> targets,
            SearchLeft left, ReadingErrorFunction loss_error, Utility utility);
  // The same error for all, nats.
  Lookahead(const LossBelief& belief, const TrainedState& current, std::vector<Choice> targets,
            SearchLeft left, double loss_error, Utility utility)
      : Lookahead(
            belief, current, std::move(targets), std::move(left),
            [loss_error](double) { return loss_error; }, std::move(utility)) {}

  // Of the base policy on weights in `state`. read: widths whose loss is known there: reading them
  // again teaches nothing. beside: what else may be read there than targets, no target.
  Outlook OutlookOfReading(const TrainedState& state, const std::set<Choice>& read = {},
                           const std::vector<Choice>& beside = {}) const;
  // Of a step: with batches, training them at `what` from weights in `state` and reading the loss there,
  // before and after which targets are read; without, reading `what` first.
  //
  // REQUIRES: 0 <= batches <= SearchLeft::search_batches; SearchLeft::readings >= 1.
  Outlook OutlookOf(const TrainedState& state, const Choice& what, int batches,
                    const std::set<Choice>& read = {},
                    const std::vector<Choice>& beside = {}) const;
  // What it is worth.
  static double Expect(const Outlook& outlook, const Utility& utility);
  double Value(const TrainedState& state, const Choice& what, int batches,
               const std::set<Choice>& read = {}) const {
    return Expect(OutlookOf(state, what, batches, read), utility_);
  }

  // Of reading nothing more and training the rest from `state` at what looks best now.
  double ValueOfStopping(const TrainedState& state) const;

  // Expected excess loss of each target if all that is left trains it from `state`: [targets].
  std::vector<double> FinalLosses(const TrainedState& state) const;

  // How much each target counts when readings are planned: by how much its loss, lower than is
  // expected by as much as is well possible, would raise the utility. [targets], sum 1.
  const std::vector<double>& weights() const { return weights_; }

 private:
  // Position of a tau in kAdaptationTaus, and its weight.
  struct LikelyTau {
    std::size_t position;
    double weight;
  };
  // Covariances that one tau expects, given the readings that are planned already: row i is of reading
  // i, with the targets' losses at the end, then with the readings.
  struct Covariances {
    std::size_t num_columns;
    std::vector<double> values;
    double* Row(std::size_t i) { return &values[i * num_columns]; }
    const double* Row(std::size_t i) const { return &values[i * num_columns]; }
  };
  // Readings that may be planned: on the weights as they are, then on those that a step leaves.
  struct Step {
    const Choice* what = nullptr;  // where it trains
    int batches = 0;
    int readings = 0;
    std::vector<Choice> before = {};
    std::vector<Choice> after = {};
    std::optional<std::size_t> forced =
        std::nullopt;  // of all, the one that is read whatever it tells
  };

  void FindLikelyTaus();
  void TakeTwin();
  void WeighTargets(const TrainedState& current);
  // Targets and `beside` but what was read.
  std::vector<Choice> Unread(const std::set<Choice>& read, const std::vector<Choice>& beside) const;
  Outlook Plan(const TrainedState& state, const Step& step) const;
  // What reading `k`, of that noise, teaches of each target's loss, now: c_kj, the mean over the taus.
  void Learned(std::size_t k, double noise_variance, const std::vector<Covariances>& covariances,
               std::vector<double>* learned) const;
  // How well it tells the targets apart.
  double Spread(const std::vector<double>& learned) const;
  // Features of `target` on such weights after `batches`, as counted, at it.
  SparseFeatures FeaturesAfter(std::size_t tau, const Adaptation& adaptation, const Choice& target,
                               double batches) const;
  // The same of each target at the end, after `batches`, or from the twin's weights where its loss is then
  // lower.
  std::vector<SparseFeatures> FinalFeatures(std::size_t tau, const Adaptation& adaptation,
                                            double batches) const;
  // Of what is left behind the first `used` mini-batches, what a target gets.
  double Rest(int used) const;

  const LossBelief& belief_;
  std::vector<Choice> targets_;
  SearchLeft left_;
  ReadingErrorFunction loss_error_;
  Utility utility_;
  std::vector<LikelyTau> taus_;
  struct FromTwin {
    std::vector<SparseFeatures> features;  // [targets]; empty without a twin
    std::vector<double> losses;            // expected, the same
  };
  std::map<std::size_t, FromTwin> from_twin_;  // by position of the tau
  std::vector<double> weights_;                // [targets], sum 1
  std::vector<std::vector<double>> draws_;     // [draws][targets], standard normal
};

}  // namespace bitpilot

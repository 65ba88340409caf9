// Surrogate: what the transitions so far say about choices that were not measured.
//
// Models, fitted to all transitions seen, all anchored at uniform 8 bit:
//   loss     additive over variables: the prior is the probed sensitivity, corrected by ridge
//            regression with one factor for all variables, one for each variable and one for each
//            width of it
//   error    1 - accuracy: grows with the loss up to guessing, at a fitted rate; the ridge
//            regression's target is the mean of what the loss and the error rate each say, because
//            the loss is smoother and the error rate is what counts
//   latency  the board's table, corrected by ridge regression with an offset, one factor for all
//            operations and one for each
//   energy   where it is an objective: the same, of the table's energies or, where it has none, of
//            its times
// A World is one joint draw of all of them: every choice has one loss, error rate, latency and,
// where that is an objective, energy in it.
#pragma once

#include <array>
#include <vector>

#include "policies/cost_model.h"
#include "policies/pareto.h"
#include "policies/random_stream.h"
#include "policies/ridge.h"
#include "policies/search_problem.h"
#include "policies/transition.h"

namespace bitpilot {

// error_rate = reference + ceiling x (1 - e^(-rate x loss_increase)): near the reference each nat
// costs ceiling x rate, and a network that guesses cannot get worse.
struct ErrorLink {
  double reference = 0.0;  // error rate of uniform 8 bit
  double ceiling = 0.0;    // error rate of guessing, above the reference; > 0
  double rate = 0.0;       // per nat, > 0

  double ErrorRate(double loss_increase) const;
  // Inverse; error rates at or beyond the range count as just inside it.
  double LossIncrease(double error_rate) const;
};

// One draw of everything unknown, as tables.
struct World {
  double loss_offset = 0.0;                 // nats, of every choice
  std::vector<std::array<double, 9>> loss;  // [variables][width], nats
  double fixed_latency_ratio = 0.0;
  std::vector<double> latency_factor;  // [operations of the cost model]
  double fixed_energy_ratio = 0.0;
  std::vector<double> energy_factor;  // the same; empty where energy is no objective
  ErrorLink link;

  double LossIncrease(const Choice& choice) const;
  // latency_ratios: CostModel::OperationLatencyRatios(choice), which all worlds share;
  // energy_ratios: OperationEnergyRatios(choice), not read where energy is no objective.
  Objectives Predict(const Choice& choice, const std::vector<double>& latency_ratios,
                     const std::vector<double>& energy_ratios) const;
};

// Immutable. `problem` and `cost` must outlive it.
class Surrogate {
 public:
  // `history` may be empty: worlds are then draws from the prior. Only its last 256 transitions
  // count.
  Surrogate(const SearchProblem& problem, const CostModel& cost,
            const std::vector<Transition>& history);

  World MeanWorld() const;
  World SampleWorld(RandomStream& random) const;

 private:
  SparseFeatures LossFeatures(const Choice& choice) const;
  RidgePosterior FitLoss(const std::vector<Transition>& history) const;
  RidgePosterior FitLatency(const std::vector<Transition>& history) const;
  RidgePosterior FitEnergy(const std::vector<Transition>& history) const;
  World ToWorld(const std::vector<double>& loss_weights,
                const std::vector<double>& latency_weights) const;
  void AddEnergy(const std::vector<double>& energy_weights, World& world) const;

  const SearchProblem& problem_;
  const CostModel& cost_;
  std::vector<std::array<double, 9>> prior_loss_;   // [variables][width], nats
  std::vector<std::array<double, 9>> loss_spread_;  // its typical error, nats
  ErrorLink link_;
  RidgePosterior loss_;
  RidgePosterior latency_;
  RidgePosterior energy_;  // of nothing where energy is no objective
};

}  // namespace bitpilot

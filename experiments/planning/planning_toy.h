// A search while training whose optimum is known: 8 variables of three widths, losses that follow the
// law of policies/adaptation.h, and a latency budget, small enough to try every choice.
#pragma once

#include <cstdint>
#include <vector>

#include "policies/adaptation.h"
#include "policies/search_problem.h"
#include "policies/width_index.h"

namespace bitpilot {

// One network, drawn at random. Searchers may use what is public; only they cost it 24 decisions.
class PlanningToy {
 public:
  static constexpr int kDecisions = 24;        // readings
  static constexpr int kBatchesPerStep = 10;   // of the search's budget, for each decision
  static constexpr int kFinalBatches = 20;     // that the answer trains after the search
  static constexpr double kLossError = 0.012;  // of a reading, nats

  explicit PlanningToy(std::uint64_t seed);
  PlanningToy(const PlanningToy&) = delete;
  PlanningToy& operator=(const PlanningToy&) = delete;

  // Names, widths, and sensitivities as a probe before training would give them.
  const std::vector<DecisionVariable>& variables() const { return variables_; }
  const WidthIndex& index() const { return index_; }

  // The choice of least sum of scores that keeps the budget, whose latency is within .06 of it.
  // scores: [index().num_widths()]
  Choice Best(const std::vector<double>& scores) const;

  // Weights as the world has them: searchers hand them on, and cannot look inside.
  class Weights {
   private:
    friend class PlanningToy;
    explicit Weights(Adaptation adaptation) : adaptation_(std::move(adaptation)) {}
    Adaptation adaptation_;
  };
  Weights Start() const { return Weights(Adaptation(index_)); }
  Weights Train(const Weights& weights, const Choice& choice, int batches) const;
  // Excess loss, nats.
  double Loss(const Weights& weights, const Choice& choice) const;

  // Excess loss of the best choice trained with the whole budget, the final mini-batches included.
  double OptimalLoss() const;

 private:
  std::vector<DecisionVariable> variables_;
  WidthIndex index_;
  std::vector<double> stays_;  // [index_.num_widths()]
  std::vector<double> goes_;
  double tau_ = 0.0;
  std::vector<Choice> feasible_;
};

}  // namespace bitpilot

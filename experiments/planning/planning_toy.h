// A search while training whose optimum is known: 8 variables of three widths, losses with a part that
// stays and a part that training takes away, and a latency budget, small enough to try every choice.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "policies/random_stream.h"
#include "policies/search_problem.h"
#include "policies/width_index.h"

namespace bitpilot {

// How losses and weights behave.
enum class PlanningLaw : std::uint8_t {
  // As policies/loss_belief.h and reading_errors.h assume before they have read anything: the same
  // kernel, start, shares and mean of what nothing has adapted to, and readings' errors that go with the
  // excess. Only the draws, the speed, tau of 15 to 60, and the size of the errors, half to twice what is
  // assumed at first, are unknown.
  kAssumed,
  // The same with widths of 4, 6 or 8 bits for every other variable.
  kSixBits,
  // Otherwise in all of these: .6 stays and .4 goes, widths are twice as near to each other, tau is
  // 4 to 8 or 300 to 500, at the ends of the belief's grid and beyond, neighbours' losses interact, and
  // readings have the same error whatever they read.
  kOther,
};

// One network, drawn at random. Searchers may use what is public; only they cost it 24 decisions.
class PlanningToy {
 public:
  static constexpr int kDecisions = 24;       // readings
  static constexpr int kBatchesPerStep = 10;  // of the search's budget, for each decision
  static constexpr int kFinalBatches = 20;    // that the answer trains after the search

  PlanningToy(std::uint64_t seed, PlanningLaw law);
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
    explicit Weights(std::vector<double> adapted) : adapted_(std::move(adapted)) {}
    std::vector<double> adapted_;  // [index_.num_widths()]: 1 where nothing is left to gain
  };
  Weights Start() const;
  Weights Train(const Weights& weights, const Choice& choice, int batches) const;
  // As a searcher reads a loss: with an error that the weights and the choice fix, so that reading it again
  // gives the same.
  struct Reading {
    double excess = 0.0;  // nats
    double error = 0.0;   // its standard error
  };
  Reading Read(const Weights& weights, const Choice& choice) const;
  // Without error.
  double Loss(const Weights& weights, const Choice& choice) const;

  // Excess loss of the best choice trained with the whole budget, the final mini-batches included.
  double OptimalLoss() const;

 private:
  void DrawAssumed(RandomStream& random);
  void DrawOther(RandomStream& random);
  // How far weights that are adapted to one width are adapted to another.
  double Kernel(int a, int b) const;

  std::uint64_t seed_;
  PlanningLaw law_;
  std::vector<DecisionVariable> variables_;
  WidthIndex index_;
  std::vector<double> stays_;  // [index_.num_widths()]
  std::vector<double> goes_;
  std::vector<double> interactions_;  // of a variable with the one before, [variables]
  double tau_ = 0.0;
  double error_scale_ =
      0.0;  // of ReadingErrors' first expectation; 0: kFirstError whatever is read
  std::vector<Choice> feasible_;
};

}  // namespace bitpilot

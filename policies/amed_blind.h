// Policy "amed-blind": model-based search by posterior sampling, in AMED's setting, blind to the state
// of the weights that it trains.
//
// The setting is AMED's: widths are chosen while the network trains, by what was measured, with a
// penalty below an accuracy and a filter by size. The method is not. AMED keeps a table of scores,
// one for each layer and width, and decides layer by layer with a Metropolis rule; here a Bayesian
// regression learns from all measurements what each width costs and loses, and worlds drawn from
// its posterior say what to measure next (policies/surrogate.h). The start is the integer program's
// answers, so whatever they are worth is in the result.
//
//   first    the answers of policy "ilp"
//   then     draw worlds from the surrogate (policies/surrogate.h); collect candidates: neighbours
//            of the front and of the incumbent, crossovers of the front, the best choices of single
//            worlds (Thompson sampling); propose the one with the highest expected improvement of
//            the hypervolume within the budgets, after climbing it by changes of single variables
//
// Source of the setting: Kimhi, Rozen, Mendelson, Baskin, "AMED: Automatic Mixed-Precision
// Quantization for Edge Devices", Mathematics 12(12), 1810, 2024, arXiv:2205.15437. Of expected
// improvement over draws: Daulton, Balandat, Bakshy, "Differentiable Expected Hypervolume
// Improvement for Parallel Multi-Objective Bayesian Optimization", NeurIPS 2020, arXiv:2006.05078.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policies/history_policy.h"
#include "policies/incumbent.h"
#include "policies/observed_front.h"
#include "policies/pareto.h"
#include "policies/surrogate.h"

namespace bitpilot {

class AmedBlindPolicy final : public HistoryPolicy {
 public:
  // answers: IlpAnswers() of the problem. name: that the table of policies lists it by.
  AmedBlindPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
                  std::vector<Candidate> answers, std::string name = "amed-blind")
      : HistoryPolicy(problem, std::move(cost), seed),
        answers_(std::move(answers)),
        name_(std::move(name)),
        measured_(problem) {}

  std::string name() const override { return name_; }

 protected:
  // All answers not measured yet; after them one candidate at a time. Budgets that need no measurement
  // (size, the table's energy) are kept by every candidate.
  std::vector<Candidate> Propose(TicketId ticket, int count) override;

 private:
  bool IsAllowed(const Choice& choice) const;  // by the budgets that need no measurement

  std::vector<Candidate> answers_;
  std::string name_;
  // Of history(), as far as the last decision has seen it: functions of what was observed.
  ObservedFront measured_;
  std::optional<IncumbentWalk> walk_;
};

}  // namespace bitpilot

// Policy "amed": learns, while it measures, what each width costs and what it is worth.
//
// AMED searches with a table of scores, one for each layer and width, that measured rewards update,
// and a Metropolis rule that decides what to build on. This is that idea with the defects of its
// release repaired: rewards are centred and scaled, the score table is a regression that gives each
// variable its own credit instead of the same one to all, scores of what was not tried keep the
// prior from the probed sensitivities and the board's table, and the start is the integer program's
// answers, so that the result is never worse than theirs.
//
//   first    the answers of policy "ilp"
//   then     draw worlds from the surrogate (policies/surrogate.h); collect candidates: neighbours
//            of the front and of the incumbent, crossovers of the front, the best choices of single
//            worlds (Thompson sampling); propose the one with the highest expected improvement of
//            the hypervolume within the budgets, after climbing it by changes of single variables
//
// Source: Behar et al., "AMED: Automatic Mixed-Precision Quantization for Edge Devices",
// Mathematics 12(12), 2024, arXiv:2205.15437; expected improvement over draws: Daulton et al.,
// NeurIPS 2020, arXiv:2006.05078.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "policies/history_policy.h"
#include "policies/pareto.h"
#include "policies/surrogate.h"

namespace bitpilot {

class AmedPolicy final : public HistoryPolicy {
 public:
  // `answers`: IlpAnswers() of the problem.
  AmedPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
             std::vector<Proposal> answers)
      : HistoryPolicy(problem, std::move(cost), seed), answers_(std::move(answers)) {}

  std::string name() const override { return "amed"; }

  // All answers not measured yet; after them one proposal at a time. Never proposes a choice twice;
  // budgets that need no measurement (size, the table's energy) are kept by every proposal.
  std::vector<Proposal> Propose(const SearchState& state) override;

 private:
  bool IsAllowed(const Choice& choice) const;  // by the budgets that need no measurement

  std::vector<Proposal> answers_;
};

}  // namespace bitpilot

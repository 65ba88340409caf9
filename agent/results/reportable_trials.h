// ReportableTrials: what a search shows of itself while it goes on, and which trials' files it needs.
// Brought up to date as answers come, so that a step takes as long late in a search as early.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "agent/study/events.h"
#include "policies/pareto.h"
#include "policies/search_problem.h"

namespace bitpilot {

class ReportableTrials {
 public:
  // `problem` must outlive the object.
  explicit ReportableTrials(const SearchProblem& problem) : problem_(problem) {}

  // Takes the answers that it has not taken yet. The lists are parallel, and grew at their ends.
  // Losses and accuracies are anchored (policies/transition.h).
  void Take(const std::vector<ProposalEvent>& proposals,
            const std::vector<TransitionEvent>& transitions);

  // Positions that a report may show now or after more answers, ascending; any other one's files can
  // go: best_of_program() and the members of front().
  std::vector<int> positions() const;

  // The front of the candidates that keep the budgets as far as the search saw, of all that were
  // measured if none keeps them: positions by ascending latency.
  std::vector<std::size_t> front() const;

  // Of the candidates that the integer program proposed the one with the largest area to the
  // hypervolume's reference point.
  std::optional<std::size_t> best_of_program() const { return best_of_program_; }

  // MeasuredHypervolume() (agent/results/front.h).
  double hypervolume() const { return Hypervolume(in_latency_.points()); }

 private:
  void TakeMeasured(std::size_t position, Origin origin, const Transition& transition);

  const SearchProblem& problem_;
  std::size_t num_taken_ = 0;
  GrowingFront in_latency_;  // whatever the energies
  GrowingFront measured_;    // in all objectives
  GrowingFront feasible_;    // of these
  std::optional<std::size_t> best_of_program_;
  double best_area_ = -1.0;
};

}  // namespace bitpilot

// AnsweredTrials: a search's trials and their answers, and what a report may show of them.
#pragma once

#include <list>
#include <utility>
#include <vector>

#include "agent/results/front.h"
#include "agent/results/reportable_trials.h"
#include "agent/study/events.h"
#include "agent/study/study_files.h"
#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

class AnsweredTrials {
 public:
  // classes: that the search asks. `problem` must outlive the object.
  AnsweredTrials(const SearchProblem& problem, const std::vector<ClassId>& classes);

  // The next answer, and the trial that it answers.
  void Take(ProposalEvent proposal, TransitionEvent transition);

  // Parallel, in the order of the answers.
  const std::vector<ProposalEvent>& proposals() const { return proposals_; }
  const std::vector<TransitionEvent>& transitions() const { return transitions_; }

  // Of the search's objective.
  const ReportableTrials& reportable() const { return reportable_; }

  // Removes the network files of all trials that no report may show, neither of the search's objective
  // nor, of several classes, of each one's own front; but none that `needed` has. What was not kept
  // once is never kept again.
  void DropNetworks(const std::vector<StoredFile>& needed, const StudyFiles& files);

 private:
  // What a report may show, ascending positions.
  std::vector<int> ReportablePositions() const;
  StoredFile NetworkOf(int position) const;

  std::vector<ProposalEvent> proposals_;
  std::vector<TransitionEvent> transitions_;
  ReportableTrials reportable_;
  // The same as each of several classes has it.
  struct ClassTrials {
    explicit ClassTrials(SearchProblem on_class)
        : problem(std::move(on_class)), reportable(problem) {}
    const SearchProblem problem;
    std::vector<TransitionEvent> transitions;  // parallel to transitions_
    ReportableTrials reportable;
  };
  std::list<ClassTrials> class_trials_;
  std::vector<int> with_network_;  // positions whose files may exist, ascending
};

}  // namespace bitpilot

// SearchObserver: what a running search tells whoever watches it (terminal, JSON lines). Never
// influences it.
#pragma once

#include <string>

#include "agent/study/events.h"
#include "policies/search_problem.h"

namespace bitpilot {

class SearchObserver {
 public:
  virtual ~SearchObserver() = default;

  // A part of the work began, e.g. "measuring layers"; `total` items, 0 if unknown. Not of what a study
  // that is resumed has behind it.
  virtual void OnPhase(const std::string& name, int total) = 0;
  // `done` of the phase's items; `note` says what was just done.
  virtual void OnProgress(int done, const std::string& note) = 0;
  // One trial was answered, now and not by a study that is resumed. problem: with its anchor.
  // `hypervolume`: of everything measured so far.
  virtual void OnStep(const SearchProblem& problem, const ProposalEvent& proposal,
                      const TransitionEvent& answer, double hypervolume) = 0;
  // Something the user should know and may want to act on.
  virtual void OnNotice(const std::string& text) = 0;
  // One of many things that a notice said in one line: for programs and logs.
  virtual void OnDetail(const std::string&) {}
};

}  // namespace bitpilot

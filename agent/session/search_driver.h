// SearchDriver: one pass over a study's journal (agent/study/journal.h), by which a search starts,
// goes on or is verified:
//
//   agent -> board* -> calibration* -> problem -> [place 0] -> anchor -> [answers]
//         -> conditions -> ([keeps] -> action* -> [policy] -> observation)*
//         -> trained* -> test -> final -> end -> [conditions -> [anchor] -> ... of an extended search]
//
// Boards are one of each class; calibrations, which also follow later where boards come, say which boards
// measure for it. Answers are the integer program's; place 0 is of searches that train. Rows of measurements and
// places stand before the observation that they are for.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/results/search_observer.h"
#include "agent/session/board_pools.h"
#include "agent/session/live_parts.h"
#include "agent/session/moved_parts.h"
#include "agent/session/placed_training.h"
#include "agent/session/problem_setup.h"
#include "agent/session/search_environment.h"
#include "agent/study/events.h"
#include "agent/study/final_event.h"
#include "agent/study/journal.h"
#include "agent/study/search_config.h"
#include "agent/study/study_files.h"
#include "kernels/base/status.h"
#include "policies/integer_program.h"
#include "policies/policy.h"

namespace bitpilot {

struct SearchOptions {
  std::string study_path;
  SearchObserver* observer = nullptr;  // never null
  std::function<bool()> stop;          // polled; true ends the search so that it can be resumed
  bool allow_class_change = false;     // resume on a machine of another CPU class
  bool long_audit = false;             // FinalOptions'
  // How long a class may be without a board that works before the search ends, to be resumed; nothing:
  // it waits. Of one board, named or local, its own limits count.
  std::optional<std::chrono::milliseconds> max_wait;
  // What is asked of a class whose boards are all gone for max_wait (kPredictAfter, if that is nothing) is
  // answered by a prediction, which no table of results or front has, instead of ending the search. A
  // resume needs no board of a class then whose table of layer times is in the study.
  bool predicts_missing = false;
  std::optional<LeaseTerms> lease;  // of its boards, if something is asked for
  MovedParts moved;                 // a resume's
  // A resume's: so many more measurements, with their mini-batches, when the search has ended.
  std::optional<int> more_measurements;
};

struct SearchOutcome {
  bool interrupted = false;  // stopped by the user: resume to go on
  SearchConfig config;
  int decisions = 0;          // trials that were answered
  std::string first_failure;  // why the first candidate that failed was not measured, if one was
  FinalEvent final;           // empty if interrupted
  Anchor anchor;              // the twin's readings; empty if interrupted
  // Of each class of two boards or more, which of them measured at last; empty if interrupted.
  std::vector<CalibrationEvent> calibrations = {};
};

class SearchDriver {
 public:
  // parts: null in a verification, and to read a finished study's result. All references outlive
  // the driver; parts must be fresh: a resume trusts nothing that an earlier pass left in them.
  SearchDriver(const SearchConfig& config, Journal& journal, const StudyFiles& files,
               LiveParts* parts, const SearchOptions& options);

  // Errors: those of the journal, of the board and of the files; kVersionMismatch as ResumeSearch();
  // kInternal if the policy does what it may not.
  Result<SearchOutcome> Run();

  // Trials that were answered.
  int decisions() const { return decisions_; }

 private:
  Result<std::unique_ptr<Policy>> PreparePolicy(const SearchProblem& problem);
  Status SettleBoards();
  Status CheckClassChange(const std::string& logged) const;
  // The place that everything begins from; empty where nothing trains.
  Result<StoredFile> SettleStart();
  // Decides and observes until the search ends; false if interrupted.
  Result<bool> Search(SearchEnvironment& environment, Policy& policy);
  // One round of decisions after an observation.
  Status Decide(SearchEnvironment& environment, Policy& policy);
  // The logged actions that follow.
  Status TakeActions(std::vector<Action>& actions);
  Status SettleKeeps(SearchEnvironment& environment, const Policy& policy);
  Status SettlePolicy(SearchEnvironment& environment, Policy& policy);
  Result<FinalEvent> Finish(const ProblemSetup& setup, SearchEnvironment& environment);
  // Where new conditions let the search train further than the twin did: trains that on, too, before
  // anything is decided. Not in a log whose extension has no anchor, as an older bitpilot wrote it.
  Status SettleExtendedTwin(SearchEnvironment& environment);
  // True if the log goes on after the end, or should: the search is extended.
  //
  // Errors: kDataCorrupt if it goes on with anything else than an extension's conditions.
  Result<bool> IsExtended(SearchEnvironment& environment);
  void Report(const SearchEnvironment& environment) const;
  Result<SearchOutcome> Interruption(const Status& status) const;
  SearchOutcome Outcome(bool interrupted) const;

  const SearchConfig& config_;
  Journal& journal_;
  const StudyFiles& files_;
  LiveParts* parts_;
  const SearchOptions& options_;
  BitAssignment base_;  // the problem's
  PlacedTraining training_;
  std::optional<BoardPools> pools_;
  SearchProblem* problem_ =
      nullptr;        // while it runs; its anchor grows where the search is extended
  AnchorEvent twin_;  // the last one
  std::optional<IntegerProgramAnswers> program_;  // of policies that may use its answers
  std::vector<TicketId> keeps_;
  int rounds_ = 0;  // of decisions
  int decisions_ = 0;
  int trials_ = 0;
  int test_readings_ = 0;
  std::string first_failure_;
  std::vector<StoredFile> compared_;  // networks of the final comparisons so far
  bool is_extended_ = false;          // by this run
};

}  // namespace bitpilot

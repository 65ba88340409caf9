// SearchDriver: one pass over a study's journal (agent/study/journal.h), by which a search starts,
// goes on or is verified:
//
//   agent -> board -> problem -> [answers] -> [checkpoint]
//         -> (proposal -> measurement -> [checkpoint] -> transition)* -> test -> final -> end
//
// Answers are the integer program's, checkpoints those of searches that train.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/results/search_observer.h"
#include "agent/session/live_parts.h"
#include "agent/session/moved_parts.h"
#include "agent/session/search_config.h"
#include "agent/session/search_environment.h"
#include "agent/study/events.h"
#include "agent/study/journal.h"
#include "agent/study/study_files.h"
#include "kernels/base/status.h"
#include "policies/policy.h"

namespace bitpilot {

struct SearchOptions {
  std::string study_path;
  SearchObserver* observer = nullptr;  // never null
  std::function<bool()> stop;          // polled; true ends the search so that it can be resumed
  bool allow_class_change = false;     // resume on a machine of another CPU class
  bool long_audit = false;             // FinalOptions'
  MovedParts moved;                    // a resume's
};

struct SearchOutcome {
  bool interrupted = false;  // stopped by the user: resume to go on
  SearchConfig config;
  int decisions = 0;
  int over_size = 0;          // of them, not measured because of --max-size
  std::string first_failure;  // why the first candidate that failed was not measured, if one was
  FinalEvent final;           // empty if interrupted
};

class SearchDriver {
 public:
  // parts: null in a verification, and to read a finished study's result. All references outlive
  // the driver; parts must be fresh: a resume trusts nothing that an earlier pass left in them.
  SearchDriver(const SearchConfig& config, Journal& journal, const StudyFiles& files,
               LiveParts* parts, const SearchOptions& options)
      : config_(config), journal_(journal), files_(files), parts_(parts), options_(options) {}

  // Errors: those of the journal, of the board and of the files; kVersionMismatch as ResumeSearch().
  Result<SearchOutcome> Run();

  // Proposals that were answered.
  int decisions() const { return static_cast<int>(proposals_.size()); }

 private:
  Result<std::unique_ptr<Policy>> PreparePolicy(const SearchProblem& problem);
  Status SettleBoard();
  Status CheckClassChange(const std::string& logged) const;
  Result<bool> Search(SearchEnvironment& environment, Policy& policy);
  void Report(const SearchEnvironment& environment) const;
  Result<SearchOutcome> Interruption(const Status& status) const;
  SearchOutcome Outcome(bool interrupted) const;

  const SearchConfig& config_;
  Journal& journal_;
  const StudyFiles& files_;
  LiveParts* parts_;
  const SearchOptions& options_;
  std::vector<ProposalEvent> proposals_;
  int over_size_ = 0;
  std::string first_failure_;
};

}  // namespace bitpilot

// A search from configuration to front: start it, resume it, verify it.
//
// All three run the same driver over the study's journal (agent/search/journal.h):
//
//   board -> problem -> (proposal -> measurement -> [checkpoint] -> transition)* -> final -> end
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/search/search_config.h"
#include "agent/search/search_observer.h"
#include "agent/study/events.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct SearchOptions {
  std::string study_path;
  SearchObserver* observer = nullptr;  // never null
  std::function<bool()> stop;          // polled; true ends the search so that it can be resumed
  bool allow_class_change = false;     // resume on a machine of another CPU class
  bool long_audit = false;             // FinalOptions'
};

struct SearchOutcome {
  bool interrupted = false;  // stopped by the user: resume to go on
  SearchConfig config;
  int decisions = 0;
  FinalEvent final;  // empty if interrupted
};

// Fills in what the flags left out (weights that ship, checksums, fingerprints), after checking
// that model, weights, data and board are there; then creates the study and searches. Errors before
// that leave no study behind.
//
// Errors: any of its parts'; the message names the file, flag or board.
Result<SearchOutcome> StartSearch(SearchConfig config, const SearchOptions& options);

// Goes on where the study ends. A finished study returns its result at once.
//
// Errors: also kVersionMismatch if the board's kernels, or (with training) this machine's CPU
// class, are not those that the study began with.
Result<SearchOutcome> ResumeSearch(const SearchOptions& options);

struct ReplayReport {
  int decisions = 0;          // proposals recomputed and found equal
  std::int64_t last_seq = 0;  // last event of the log
  bool complete = false;      // the study had ended
  // Under which its latencies were measured (agent/fleet/board_conditions.h), each once, in the
  // order of the log; those of the full instruction set are left out: they are another board's.
  std::vector<std::string> fingerprints;
};

// Recomputes every decision from the logged observations, without board, data or weights.
//
// Errors: kDataCorrupt names the first seq that differs.
Result<ReplayReport> VerifyReplay(const std::string& study_path);

}  // namespace bitpilot

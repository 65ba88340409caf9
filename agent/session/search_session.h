// A search from configuration to front: start it, resume it, verify it.
//
// All three run the same driver over the study's journal (agent/session/search_driver.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/session/moved_parts.h"
#include "agent/session/search_driver.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Fills in what the flags left out (weights that ship, checksums, fingerprints), after checking
// that model, weights, data and board are there; then creates the study and searches. Errors before
// that leave no study behind.
//
// Errors: any of its parts'; the message names the file, flag or board.
Result<SearchOutcome> StartSearch(SearchConfig config, const SearchOptions& options);

// Goes on where the study ends. A finished study returns its result at once. What options.moved
// names is noted in the study once it fits: weights, images and a model board's table by their
// hashes, a board by what CheckSameBoard() compares.
//
// Errors: also kVersionMismatch if the board's kernels, or (with training) this machine's CPU
// class, are not those that the study began with.
Result<SearchOutcome> ResumeSearch(const SearchOptions& options);

struct ReplayReport {
  int decisions = 0;                      // proposals recomputed and found equal
  std::int64_t last_seq = 0;              // last event of the log
  bool complete = false;                  // the study had ended
  std::vector<std::string> agent_builds;  // that wrote it (AgentBuild()), each once; none if older
  // Under which its latencies were measured (agent/fleet/board_conditions.h), each once, in the
  // order of the log; those of the full instruction set are left out: they are another board's.
  std::vector<std::string> fingerprints;
  // The same without the boards' names, of each class (agent/study/class_fingerprints.h).
  std::map<ClassId, std::vector<std::string>> class_fingerprints;
};

// Recomputes every decision from the logged observations, without board, data or weights.
//
// Errors: kDataCorrupt names the first seq that differs.
Result<ReplayReport> VerifyReplay(const std::string& study_path);

}  // namespace bitpilot

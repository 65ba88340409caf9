// What `bitpilot log verify --files` checks: the files beside a study, and those that its search
// began from.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

struct StudyFileCheck {
  int num_verified = 0;               // with the content whose hash the log holds
  int num_without_hash = 0;           // there, but an older bitpilot logged no hash
  std::vector<std::string> problems;  // what is missing or changed, in the order of the log
  // Of what the search began from (agent/session/named_inputs.h) what is where the study says no
  // longer: no damage of the study, but nobody can say that it is the same.
  std::vector<std::string> missing_inputs;
};

// Compares every file that the study names with its hash.
//
// Must be there: uniform 8 bit, the networks that a report may show (ReportableTrials), those that
// the search registered at its end, and what it needs to go on, after its end by --measurements:
// the twin's state and losses, and the states of the start, of the places that the policy keeps and
// of the last one (the last checkpoint of a study of log version 2, until its end). A search
// removes all other networks and states as it goes on; what is left of them must have its hash,
// too. Weights, images, teacher and a model board's table are looked for where the last resume
// found them; what is there and differs is a problem.
//
// Errors: as Study::OpenReadOnly(); kDataCorrupt for an event that cannot be read.
Result<StudyFileCheck> CheckStudyFiles(const std::string& study_path);

}  // namespace bitpilot

// From a configuration to a SearchProblem: the 8-bit reference, the board's table, the
// sensitivities.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "agent/results/search_observer.h"
#include "agent/session/search_resources.h"
#include "agent/study/journal.h"
#include "agent/study/search_config.h"
#include "agent/study/study_files.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

struct ProblemSetup {
  SearchProblem problem;
  StoredFile uniform8;                        // the network that all candidates are compared with
  std::string no_uniform4;                    // ProblemEvent::no_uniform4
  std::map<ClassId, CostTable> class_tables;  // of several classes
};

// Calibrates and measures uniform 8 bit, takes the board's table, probes the sensitivity of every
// variable, and logs it all as the "problem" event.
//
// resources: all null in a verification.
//
// Errors: the journal's, the board's and the model's; kUnsupported if energy is to be an objective
// and the board has none; kAborted if `stop` became true.
Result<ProblemSetup> SetUpProblem(const Topology& topology, const SearchConfig& config,
                                  const SearchResources& resources, Journal& journal,
                                  const StudyFiles& files, SearchObserver& observer,
                                  const std::function<bool()>& stop);

// What the "problem" event of a study says.
Result<ProblemSetup> ProblemOf(const Topology& topology, const SearchConfig& config,
                               ProblemEvent event);

}  // namespace bitpilot

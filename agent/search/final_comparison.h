// The last act of a search: finalists measured again, interleaved with uniform 8 bit, and evaluated
// on the test range.
#pragma once

#include <string>
#include <vector>

#include "agent/search/finalists.h"
#include "agent/search/journal.h"
#include "agent/search/search_config.h"
#include "agent/search/search_environment.h"
#include "agent/search/search_observer.h"
#include "agent/search/study_files.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Measures all finalists in interleaved rounds on the search's board (and, where that board is this
// machine restricted to an instruction set, once more on the full one), reads their test accuracy
// with the integer network that was measured, and logs the "final" event. Each finalist's network
// file is registered as an artifact.
//
// asks_for_energy: also measure their energy, where the search's board can.
// full_isa_board: connected only if needed; null if the search's board is the whole machine
// already, a model, or remote.
//
// Errors: the journal's and the board's; kNotFound if a finalist's network file is missing.
Result<FinalEvent> CompareFinalists(
    const SearchProblem& problem, const std::vector<Finalist>& finalists, bool asks_for_energy,
    SearchEnvironment& environment, const SearchResources& resources,
    const std::function<Result<std::unique_ptr<Board>>()>& full_isa_board, Journal& journal,
    const StudyFiles& files, SearchObserver& observer);

}  // namespace bitpilot

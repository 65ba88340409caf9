// The last act of a search: finalists measured again, interleaved with uniform 8 bit, and evaluated
// on the test range.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/results/finalists.h"
#include "agent/results/search_observer.h"
#include "agent/session/search_config.h"
#include "agent/session/search_environment.h"
#include "agent/study/journal.h"
#include "agent/study/study_files.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Measurements of the finalists on the full instruction set have ids that begin so.
inline constexpr std::string_view kFullIsaPrefix = "full-isa";

struct FinalOptions {
  bool energy = false;      // also measure their energy, where the search's board can
  bool long_audit = false;  // 100 rounds of 100 ms instead of 24 to 40 of 20 ms
};

// Measures all finalists in interleaved rounds (agent/results/final_rounds.h) on the search's board
// (and, where that board is this machine restricted to an instruction set, once more
// on the full one), reads their test accuracy with the integer network that was measured, judges by
// the rounds who is faster, and logs the "final" event. Each finalist's network file is registered
// as an artifact.
//
// The finalists are not trained alike. Uniform 8 bit is calibrated only. A candidate has the
// weights of its step, which had had the mini-batches of all steps until then, at those steps'
// widths. Uniform 4 bit has SearchEnvironment::TrainReference()'s. FinalRow::mini_batches says how
// many each had.
//
// uniform8_file: ProblemSetup's.
// test: the test images; null in a verification, which reads none.
// full_isa_board: connected only if needed; null if the search's board is the whole machine
// already, a model, or remote.
//
// Errors: the journal's and the board's; kNotFound if a finalist's network file is missing.
Result<FinalEvent> CompareFinalists(
    const SearchProblem& problem, const StoredFile& uniform8_file,
    const std::vector<Finalist>& finalists, const FinalOptions& options,
    SearchEnvironment& environment, const SearchResources& resources, const ImageDataset* test,
    const std::function<Result<std::unique_ptr<Board>>()>& full_isa_board, Journal& journal,
    const StudyFiles& files, SearchObserver& observer);

}  // namespace bitpilot

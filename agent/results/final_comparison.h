// The last act of a search: finalists measured again, interleaved with uniform 8 bit, and evaluated
// on the test range.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/model/image_dataset.h"
#include "agent/results/final_training.h"
#include "agent/results/search_observer.h"
#include "agent/study/events.h"
#include "agent/study/final_event.h"
#include "agent/study/journal.h"
#include "agent/study/study_files.h"
#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

struct FinalOptions {
  bool energy = false;      // also measure their energy, where the search's board can
  bool long_audit = false;  // 100 rounds of 100 ms instead of 24 to 40 of 20 ms
  // Of the test images: 2 after a search was extended, and so on; and the networks of the
  // comparisons before, which are registered there.
  int reading = 1;
  std::vector<StoredFile> registered;
  std::string no_uniform4;                      // FinalEvent::no_uniform4
  std::vector<ClassId> classes = {kOnlyClass};  // of the search, in its order
};

// What comparing works with. A verification has none of them.
struct ComparisonParts {
  std::map<ClassId, Board*> boards = {};  // the search's, one of each class
  const ImageDataset* test = nullptr;     // nobody else is given them
  // The whole machine, where the search's board is this machine restricted to an instruction set:
  // connected only if needed. Also set in a verification of such a search.
  std::function<Result<std::unique_ptr<Board>>()> full_isa_board;
  // The machine has nothing above what the search's board is restricted to: measuring the finalists
  // there would measure the same kernels again, and is left out. Read while recording; a replay
  // finds in the log what was measured.
  bool board_has_full_isa = false;
  // FinalRoundsJob::take_between of the classes' rounds: while they are measured, boards that join a class
  // are judged as before (agent/session/board_pools.h), and none measures before. May be empty.
  std::function<Status()> take_between = {};
};

// Measures all finalists in interleaved rounds (agent/results/final_rounds.h) on a board of each class
// (and once more on the whole machine, if that has more instruction sets), registers their networks as artifacts, reads the test
// images with the integer networks that were measured, judges by the rounds who is faster, and logs
// the "final" event. Rows are joint ones where there are several classes (agent/results/joint_rows.h).
// Which rows are shown first follows from validation alone
// (agent/study/chosen_rows.h), and so do budgets of accuracy: after the final training.
//
// trained: TrainFinalists()'s, uniform 8 bit first. Those without a network are not compared: they are
// the last rows, with the reason.
// transitions: of all steps.
//
// Errors: the journal's and the board's; kNotFound if a finalist's network file is missing.
Result<FinalEvent> CompareFinalists(const SearchProblem& problem,
                                    const std::vector<TrainedFinalist>& trained,
                                    const std::vector<TransitionEvent>& transitions,
                                    const FinalOptions& options, const ComparisonParts& parts,
                                    Journal& journal, const StudyFiles& files,
                                    SearchObserver& observer);

}  // namespace bitpilot

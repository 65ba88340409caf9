// StepBoard: how candidates of a search are measured on its board: interleaved with uniform 8 bit,
// because boards drift by more than the differences that a search looks for.
//
// What a board answered is in the study before anything follows from it: a search that was
// interrupted then finds it there.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/session/repeat_budget.h"
#include "agent/session/step_measurement.h"
#include "agent/study/journal.h"
#include "agent/study/study_files.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

class StepBoard {
 public:
  // board: null in a verification. uniform8: the network that all candidates are compared with.
  // All references outlive the object.
  StepBoard(const SearchProblem& problem, StoredFile uniform8, Board* board, Journal& journal,
            const StudyFiles& files)
      : problem_(problem),
        uniform8_file_(std::move(uniform8)),
        board_(board),
        journal_(journal),
        files_(files) {}
  // Ends what is under way.
  ~StepBoard();
  StepBoard(const StepBoard&) = delete;
  StepBoard& operator=(const StepBoard&) = delete;

  // The log holds this measurement.
  void NoteLogged(const std::string& measurement_id) { logged_.insert(measurement_id); }

  // The log holds an answer which says that measuring the step took so long. Its rows need not be read
  // then: a search that goes on after thousands of steps would wait for that.
  void NoteSeconds(int step, double board_seconds) { seconds_[step] = board_seconds; }

  // Starts to measure a candidate, whose network must stay where it is until Finish().
  //
  // Errors: the board's; those of the file of uniform 8 bit. REQUIRES: nothing is measured.
  Status Start(int step, const BitAssignment& assignment, const Network& network);
  bool is_measuring() const { return measuring_.has_value(); }
  int measured_step() const { return measuring_->step; }

  // Waits for the candidate's numbers: SCREEN, and longer where that leaves the ratio uncertain or
  // was NOISY, as long as the steps before left time for it (MeasureStep()). Stored when it returns.
  //
  // Errors: the board's and the journal's. REQUIRES: is_measuring().
  Status Finish();

  // What the stored rows come to: a pure function of those of this step and of the steps before, which
  // are measured in their order. `on` is the class.
  //
  // Errors: kDataCorrupt for rows that are missing or not what their windows give.
  Result<ClassOutcome> OutcomeOf(int step, const ClassId& on) const;

 private:
  struct Measuring {
    int step;
    BitAssignment assignment;
    const Network* network;
    bool started;  // a job is under way
  };

  Status StartJob(const StepRequest& request);
  Result<StepRows> MeasureOnce(const StepRequest& request);
  Result<StepRows> RowsOf(const std::string& measurement_id) const;
  // What the steps before leave, by the rows of all their measurements.
  Result<RepeatBudget> BudgetBefore(int step) const;
  Status Spend(int step, RepeatBudget& budget) const;
  Result<const Network*> Uniform8();

  const SearchProblem& problem_;
  StoredFile uniform8_file_;
  Board* board_;
  Journal& journal_;
  const StudyFiles& files_;
  std::set<std::string> logged_;
  std::map<int, double> seconds_;  // of steps that were answered
  // Of steps 0, 1, ... that BudgetBefore() was asked for or passed: what is logged never changes.
  mutable std::vector<RepeatBudget> budget_before_ = {RepeatBudget()};
  std::optional<Measuring> measuring_;
  std::optional<Network> uniform8_;
};

}  // namespace bitpilot

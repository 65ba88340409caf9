// StepBoard: how candidates of a search are measured on its classes of boards: interleaved with uniform
// 8 bit on one board, because boards drift, and differ, by more than the differences that a search looks
// for.
//
// All measurements of a step on a class are of one board. Where that is gone before the last of them, the
// step is measured anew on another one, and what the first one measured does not count.
//
// What a board answered is in the study before anything follows from it: a search that was interrupted
// then finds it there. Many steps may be measured at once, one step on several classes; whether one is
// repeated follows from what was logged of its class up to the measurement that was NOISY, whatever boards
// are doing meanwhile.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/class_boards.h"
#include "agent/session/board_pools.h"
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
  // classes: of the search, in its order. boards: null in a verification. uniform8: the network that all
  // candidates are compared with. pools: whose measurements are answered by the same boards; may be null.
  // All references outlive the object.
  StepBoard(const SearchProblem& problem, StoredFile uniform8, std::vector<ClassId> classes,
            ClassBoards* boards, Journal& journal, const StudyFiles& files,
            BoardPools* pools = nullptr)
      : problem_(problem),
        uniform8_file_(std::move(uniform8)),
        classes_(std::move(classes)),
        boards_(boards),
        journal_(journal),
        files_(files),
        pools_(pools) {}
  // Gives up what is under way.
  ~StepBoard();
  StepBoard(const StepBoard&) = delete;
  StepBoard& operator=(const StepBoard&) = delete;

  // The log holds this measurement; called in the log's order.
  void NoteLogged(const MeasurementEvent& event);
  // The same of a part that no board could be asked for.
  void NoteMissing(const MissingEvent& event);
  // How many parts of the log may be so; one more is an error of whoever asks for answers. A search must
  // not go on by predictions for ever.
  void LimitMissing(int max_missing) { max_missing_ = max_missing; }

  // A step on a class.
  using Part = std::pair<int, ClassId>;

  // Starts to measure a candidate on a class, if that is not in the log: SCREEN, and longer where that
  // leaves the ratio uncertain or was NOISY, as long as what was measured before left time for it
  // (MeasureStep()). Its network must stay where it is until the part is measured.
  //
  // Errors: the board's; those of the file of uniform 8 bit. REQUIRES: the part is not under way.
  Status Start(int step, const ClassId& on, const BitAssignment& assignment,
               const Network& network);
  bool is_measuring() const { return !measuring_.empty(); }
  // That, or boards are compared: an answer will come.
  bool awaits_answers() const {
    return is_measuring() || (pools_ != nullptr && pools_->is_measuring());
  }
  int NumMeasuring(const ClassId& on) const;

  // Stores answers that are there and goes on with what they belong to; returns the parts whose numbers
  // are complete.
  //
  // Errors: the board's and the journal's; kUnavailable at LimitMissing().
  Result<std::vector<Part>> TakeAnswers();
  // The same after one answer at least, or a second or so. REQUIRES: awaits_answers().
  Result<std::vector<Part>> WaitForAnswers();

  // What the stored rows come to: a pure function of the log up to the last of this part's. Of a part that is
  // missing: BoardUnavailable, without a prediction.
  //
  // Errors: kDataCorrupt for rows that are missing, not what their windows give, not what their events
  // say, of another class, or without uniform 8 bit in the same rounds.
  Result<ClassOutcome> OutcomeOf(int step, const ClassId& on) const;

 private:
  struct Measuring {
    BitAssignment assignment;
    const Network* network = nullptr;
    // Under way; nothing: its numbers are complete.
    std::optional<StepRequest> request = std::nullopt;
    MeasureNumber number = 0;
    bool must_move = false;  // the board that had begun with it is gone
  };

  std::string IdOf(int step, const ClassId& on) const;
  // Of the step's measurements on the board that began with it last, by what is logged.
  std::string LastSeriesOf(const std::string& step_id) const;
  // Device time of a series, as logged.
  double SecondsOf(const std::string& series_id) const;
  // What is measured next of a series by what is logged of it; nullopt: nothing more.
  Result<std::optional<StepRequest>> NextRequest(const std::string& series_id) const;
  // Starts that.
  Status GoOn(const Part& part, Measuring& measuring);
  Status Take(ClassAnswer answer);
  std::vector<Part> TakeComplete();
  Result<StepRows> RowsOf(const std::string& measurement_id) const;
  // Charges a repeat that follows a measurement of which both rows are logged.
  void ChargeNextRepeat(const MeasurementEvent& event);
  Result<const Network*> Uniform8();

  const SearchProblem& problem_;
  StoredFile uniform8_file_;
  const std::vector<ClassId> classes_;
  ClassBoards* boards_;
  Journal& journal_;
  const StudyFiles& files_;
  BoardPools* pools_;
  std::map<std::string, MeasurementEvent> logged_;  // by measurement id
  // Of each class all that was logged; and, by measurement id, whether some was left then.
  std::map<ClassId, RepeatBudget> budgets_;
  std::map<std::string, bool> may_repeat_;
  std::map<Part, Measuring> measuring_;
  std::map<Part, std::string> missing_;  // and why
  int max_missing_ = std::numeric_limits<int>::max();
  std::optional<Network> uniform8_;
};

}  // namespace bitpilot

// SearchEnvironment: policies/environment.h over a training network, boards and the study's journal.
//
// Tickets train and are read in the order of submission, on the thread that calls Next(); meanwhile
// boards measure, all of a class in parallel. On a board that shares this machine nothing trains while
// any measures: that would slow its kernels down by more than the differences that a search looks for.
//
// While the journal replays, observations come from the log: nothing trains and nothing is measured.
// What is logged of a ticket that was not answered (rows of a measurement, the place that its
// training left) is not done again by whoever goes on.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/class_boards.h"
#include "agent/session/answered_trials.h"
#include "agent/session/board_pools.h"
#include "agent/session/placed_training.h"
#include "agent/session/same_weights_reader.h"
#include "agent/session/step_board.h"
#include "agent/session/twin_losses.h"
#include "agent/study/events.h"
#include "agent/study/journal.h"
#include "agent/study/search_config.h"
#include "agent/study/study_files.h"
#include "kernels/base/cost_table.h"
#include "policies/environment.h"
#include "policies/view.h"

namespace bitpilot {

class SearchEnvironment final : public Environment {
 public:
  // start: the place that everything begins from. uniform8: the network that all candidates are
  // compared with. boards: null in a verification. pools: of these boards. All references outlive the
  // object.
  //
  // twin: the losses of the anchor's readings; empty where there are none, or in a verification.
  //
  // stop: polled; once true, Next() returns nullopt, and nothing half done is logged as done.
  SearchEnvironment(const SearchConfig& config, const SearchProblem& problem, StoredFile start,
                    StoredFile uniform8, TwinLosses twin, ClassBoards* boards, BoardPools& pools,
                    PlacedTraining& training, Journal& journal, const StudyFiles& files,
                    std::function<bool()> stop);

  const SearchProblem& problem() const override { return problem_; }
  Status Submit(const Action& action) override;
  std::optional<Observation> Next() override;
  void Keep(const std::vector<TicketId>& places) override;

  // What a policy sees now.
  const View& view() const { return view_; }

  // From now on (false) or until then (true) what the log answers is believed as it is: who resumes
  // trusts what the study's own chain of hashes protects. Otherwise everything in an answer that
  // follows from the log is recomputed and compared.
  void TrustLog(bool trusts) { trusts_log_ = trusts; }
  bool TrustsLog() const { return trusts_log_; }

  // By which what no board can be asked for is predicted, of several classes; else the problem's.
  void TakeTables(std::map<ClassId, CostTable> tables) { class_tables_ = std::move(tables); }

  // Why Next() returned nullopt: OK if it was asked to stop; IsEndOfLog() of a verification.
  const Status& status() const { return status_; }

  // What was wrong with the last answer to a trial, for people: "not measured: TIMED_OUT: ..." as the
  // board said it, or that training diverged; empty if nothing was.
  const std::string& failure() const { return failure_; }

  const AnsweredTrials& answered() const { return answered_; }

  // The next observation is new Conditions: the search, which has ended, may measure so much more,
  // and spend mini-batches and board seconds in proportion.
  void Extend(int measurements);

  // The losses of a twin that trained on, readings of before included; empty as in the constructor.
  void TakeTwin(TwinLosses twin) { twin_ = std::move(twin); }

  // REQUIRES: the place was answered, and is kept.
  PlaceFile FileOf(Place place) const;

  // Removes the network files of trials that no report may show, but for those that `others` has, too.
  //
  // REQUIRES: the journal records.
  void DropNetworks(std::vector<StoredFile> others);

 private:
  // A ticket in flight.
  struct Ticket {
    Action action;
    int spent = 0;  // mini-batches that the search has trained with it
    int step = 0;   // of a trial
    // Of the classes that it asks: whose measurement counts, an earlier one's of equal widths; and those
    // that are to be measured.
    std::map<ClassId, int> rows_of_step;
    std::set<ClassId> waits;          // for a board
    std::set<ClassId> measuring;      // a board does
    std::optional<PlaceEvent> place;  // what its training left
    bool is_read = false;
    std::optional<ScoredNetwork> read;  // nothing: diverged
    std::optional<Network> for_timing;  // what the board measures; absent: read's
    bool is_measured() const { return waits.empty() && measuring.empty(); }
    // Of a probe; parallel to its choices.
    std::optional<std::vector<std::optional<double>>> divergence;
  };
  using TicketList = std::list<Ticket>;  // networks are borrowed by the board: they stay in place

  // nullopt: the log ended before an answer.
  Result<std::optional<Observation>> Replay();
  Result<Observation> Live();
  Result<Observation> ReplayConditions();
  Result<Observation> ReplayTransition();
  Result<Observation> ReplayAdvanced();
  Result<Observation> ReplayProbed();
  Status ReplayPlace();
  Result<Observation> ObserveConditions();

  // What a ticket's training left.
  PlaceFile Left(const Action& action, const PlaceEvent& event) const;
  // Host work of a ticket: trains, reads, logs the place.
  Status Work(Ticket& ticket);
  Status WorkOnTrial(const Trial& trial, Ticket& ticket);
  Status WorkOnAdvance(const Advance& advance, Ticket& ticket);
  Status LogPlace(Ticket& ticket, TicketId id, PlacedTraining::Trained trained);
  // Starts measurements that wait, in the order of submission, as far as classes take them.
  Status FeedBoards();
  Status FeedBoard(Ticket& ticket, const ClassId& on);
  void NoteMeasured(const std::vector<StepBoard::Part>& parts);
  Result<Observation> Answer(TicketList::iterator ticket);

  // What a trial's answer comes to: a pure function of what is logged.
  Result<TransitionEvent> Conclude(const Ticket& ticket, const std::optional<Scored>& score,
                                   const std::string& network_sha256) const;
  Result<double> PredictedRatio(const ClassId& on, const Choice& choice) const;
  Progress ProgressOf(const Ticket& ticket) const;
  Observation TakeTransition(TicketList::iterator ticket, TransitionEvent event);
  // Where every answer ends: the ticket is no longer in flight, and places that nobody may name any
  // more lose their files.
  Observation Settle(TicketList::iterator ticket, Observation observation);
  void DropPlaces();
  Result<TicketList::iterator> Find(TicketId id);
  // Nothing while the training that leads there has not ended. Of a ticket without mini-batches: where
  // it began.
  std::optional<PlaceFile> FindFile(Place place) const;
  // That a logged answer may come now: where its ticket began is known.
  Status CheckBeginning(const Ticket& ticket) const;
  Conditions ConditionsNow() const;

  const SearchConfig& config_;
  const SearchProblem& problem_;
  PlacedTraining& training_;
  Journal& journal_;
  const StudyFiles& files_;
  std::function<bool()> stop_;
  const std::vector<ClassId> classes_;
  std::map<ClassId, CostTable> class_tables_;
  ClassBoards* boards_;
  BoardPools& pools_;
  StoredFile uniform8_file_;
  TwinLosses twin_;
  StepBoard board_;
  View view_;
  Totals totals_;
  SameWeightsReader same_weights_;
  bool trusts_log_ = false;
  TicketList tickets_;                    // in the order of submission
  std::map<TicketId, PlaceFile> places_;  // known ones that are kept
  int num_trials_ = 0;
  std::map<std::pair<Choice, ClassId>, int> measured_as_;  // the step that measured it
  AnsweredTrials answered_;
  std::vector<StoredFile> dropped_;  // files of places that nobody may name, not removed yet
  std::string failure_;
  Status status_;
};

}  // namespace bitpilot

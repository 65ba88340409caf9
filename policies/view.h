// View: what a policy sees. A function of the actions submitted and the observations returned so far:
// nothing in it is live, so a replay shows a policy exactly what the search did.
//
// A copy costs the same however long the search is: copies share what was answered, until one of them
// observes an answer.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "kernels/base/status.h"
#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

// A trial and what came of it.
struct AnsweredTrial {
  Trial trial;
  TrialOutcome outcome;
};

class View {
 public:
  // `problem` must outlive the view.
  explicit View(const SearchProblem& problem) : problem_(problem) {}

  const SearchProblem& problem() const { return problem_; }

  // --- budgets ---

  // The last Conditions; nullopt before the first, when nothing may be submitted.
  const std::optional<Conditions>& conditions() const { return conditions_; }
  // Totals less what was submitted; what boards could not measure is given back. Never negative.
  int measurements_left() const;
  int mini_batches_left() const;
  // Totals less what was measured; absent without that budget. May end below 0: what was submitted
  // is measured to its end.
  std::optional<double> board_seconds_left() const;
  // Mini-batches that all submitted tickets train in all.
  int mini_batches_submitted() const { return batches_; }
  // One for the first Conditions and one for each that raised the total of mini-batches: what had been
  // submitted by then. Ascending; the first is 0.
  struct Stretch {
    int begin = 0;
    int end = 0;  // the total of mini-batches
  };
  const std::vector<Stretch>& stretches() const { return stretches_; }

  // --- tickets ---

  TicketId next_ticket() const { return next_ticket_; }
  // Unanswered, in the order of submission.
  const std::vector<Action>& in_flight() const { return in_flight_; }
  // How many more trials may be submitted that ask this class.
  int FreeSlots(const ClassId& on) const;
  // The classes with a board, in order.
  std::vector<ClassId> Classes() const;
  // In the order in which they were answered.
  const std::vector<AnsweredTrial>& answered() const { return answers_->trials; }
  // What a class measured of a choice; null if it did not.
  const Measured* FindMeasured(const Choice& choice, const ClassId& on) const;
  // A Stop was submitted: nothing else may follow, until Conditions raise a total and the search goes
  // on.
  const std::optional<Place>& stopped_at() const { return stopped_at_; }
  // Of that Stop.
  const std::vector<Choice>& finalists() const { return finalists_; }

  // --- places ---

  // True if an action may name it: the start, latest(), the last two answered (trials and advances),
  // what policies keep, what is in flight and what that began from, where Stop named.
  bool IsKept(Place place) const { return places_.contains(place.after); }
  // Of the last ticket submitted that trains at least one mini-batch: answered or in flight. The start
  // before the first.
  Place latest() const { return latest_; }
  // Mini-batches that the weights of a place have had; of an unanswered ticket: will have had, if its
  // training does not diverge. REQUIRES: IsKept(place).
  int DepthOf(Place place) const;
  // Widths that the weights of a place last trained at; nullptr: the start (uniform 8 bit). A ticket
  // without mini-batches, or whose training diverged, left the weights that it began from.
  // REQUIRES: IsKept(place).
  const Choice* WidthsAt(Place place) const;

  // --- bookkeeping, by who drives the search ---

  // Whether `action` may be submitted now.
  //
  // Errors: kInvalidArgument: not stopped yet, Conditions have come; the next ticket id; a legal
  // choice within the budget of weight bytes (a probe's need not be); a kept place; mini-batches,
  // measurements, board seconds and slots that are left; classes that have a board, each once; rates
  // in [0, 1].
  Status Check(const Action& action) const;
  // REQUIRES: Check(action).ok().
  void Submitted(const Action& action);
  // REQUIRES: an answer to a ticket in flight, or Conditions.
  void Observed(const Observation& observation);
  // The policy's Keeps(). REQUIRES: kept places, at most kMaxKeeps.
  void Keep(const std::vector<TicketId>& places);

 private:
  struct PlaceState {
    int depth = 0;
    Choice widths;                    // empty: the start
    int batches = 0;                  // of the ticket
    TicketId from = 0;                // where it began
    bool is_answered = true;          // the depth is what the environment said
    std::optional<TicketId> same_as;  // it left the weights of this place
  };

  // Shared by copies: changed only through OwnAnswers().
  struct Answers {
    std::vector<AnsweredTrial> trials;
    std::map<std::pair<Choice, ClassId>, Measured> measured;
  };

  Status CheckTraining(Place from, const Pace& pace, int min_batches, int episode) const;
  Status CheckCandidate(const Candidate& what) const;
  Status CheckClasses(const Trial& trial) const;
  Status CheckProbe(const Probe& probe) const;
  Status CheckFinalists(const Stop& stop) const;
  void SubmitTraining(TicketId id, const Choice& widths, Place from, const Pace& pace);
  void ObserveTrial(const TrialOutcome& outcome);
  void ObserveConditions(const Conditions& conditions);
  Answers& OwnAnswers();
  void AnswerPlace(TicketId id, int depth, bool diverged);
  Action TakeFromFlight(TicketId id);
  // Brings what depends on unanswered places up to date.
  void RefreshPlaces();
  // Drops the places that nothing keeps.
  void DropPlaces();

  const SearchProblem& problem_;
  std::optional<Conditions> conditions_;
  std::vector<Stretch> stretches_;
  int measurements_ = 0;  // submitted, less what was given back
  int batches_ = 0;       // submitted
  double board_seconds_ = 0.0;
  TicketId next_ticket_ = 1;
  std::vector<Action> in_flight_;
  std::map<TicketId, std::set<ClassId>> charged_;  // of trials in flight
  std::shared_ptr<Answers> answers_ = std::make_shared<Answers>();
  std::optional<Place> stopped_at_;
  std::vector<Choice> finalists_;
  Place latest_;
  std::map<TicketId, PlaceState> places_ = {{0, {}}};
  std::vector<TicketId> last_two_;
  std::set<TicketId> keeps_;
};

}  // namespace bitpilot

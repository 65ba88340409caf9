// Environment: bit-width allocation as a Markov decision process, while the network trains.
//
//   action       Trial: train at the candidate's widths from a place, read the held-out loss, measure
//                on boards. Advance: train only. Probe: read losses without training. Stop.
//   observation  what came of one of them, in the order in which they finished
//   place        the state of the weights after a ticket; 0 is the start. "Stay" is a trial of the
//                same widths from the place that they left.
//
// Laws (tests/policies/environment_conformance.h checks every one on each implementation):
//   - Submit() never blocks. It fails only on what View (policies/view.h) shows to be illegal.
//   - Next() is the only source of nondeterminism: with the same answers from it everything else
//     repeats. The first observation is Conditions. It comes again when boards come or go, and when a
//     search is extended; what was accepted under the totals before stays accepted.
//   - Every ticket but Stop's gets one answer, when all that it asked for is known. Stop() gets none;
//     what is in flight then is answered first.
//   - Training follows the order of submission, whatever boards do, and repeats exactly: the same
//     actions give the same losses. Two tickets from one place train on the same mini-batches.
//   - A trial's measurement is a number or a typed failure, never both. BoardUnavailable says nothing
//     of the candidate and costs no measurement; CandidateFailed does both. A candidate that was
//     measured on a class costs nothing there again and gets the same figures.
//   - Training that diverged is an outcome: no score, and the ticket's place is the one it began from.
//     So is a probe of what is no finite number: that choice has no figure, the others have theirs.
//   - Energy of a model board is never in a field of measured energy.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kernels/base/status.h"
#include "policies/origin.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Number of an action that is answered, in the order of submission: 1, 2, 3, ...
using TicketId = std::int64_t;
// Boards that are alike: what holds of one's measurements holds of all.
using ClassId = std::string;

// What a policy that plans expected when it decided: for reports. Replays recompute and compare it.
struct DecisionFigures {
  // Of the loss that the ticket reads: nats, and the standard deviation of what will be read.
  double predicted_loss = 0.0;
  double predicted_error = 0.0;
  // In the policy's own unit (policies/amed.h: nats, or hypervolume): of this action, of training on at
  // the same widths, of stopping.
  double value = 0.0;
  double value_of_staying = 0.0;
  double value_of_stopping = 0.0;
};

struct Candidate {
  Choice choice;
  Origin origin = Origin::kUnknown;
  // For people: "ilp at 0.70x". Prose: nothing compares or parses it.
  std::string reason = {};
  std::optional<DecisionFigures> figures = std::nullopt;
};

// The weights, optimizer, widths' states and data stream that a ticket left; 0: the start. A ticket that
// trained no mini-batch, or whose training diverged, left what it began from.
struct Place {
  TicketId after = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

// Mini-batches to train, the learning rate falling by half a cosine between two shares of the
// search's --learning-rate.
struct Pace {
  int batches = 0;
  double rate_begin = 1.0;
  double rate_end = 1.0;
  friend bool operator==(const Pace&, const Pace&) = default;
};

// Train, read the held-out loss, measure.
struct Trial {
  TicketId id = 0;
  Candidate what = {};
  Place from = {};
  Pace train = {};
  std::vector<ClassId> classes = {};  // each once; empty: no board is asked
  int episode = 0;                    // 0, 1, ...: from a place to a restart
};

// Train only.
struct Advance {
  TicketId id = 0;
  Candidate what;
  Place from;
  Pace train;  // at least one mini-batch
  int episode = 0;
};

// How far outputs at each of these widths are from the float network's, on the host; nothing trains.
// Outside of the budgets.
struct Probe {
  TicketId id = 0;
  std::vector<Choice> choices;
  Place from;
};

// The search ends; the final training may start there.
struct Stop {
  Place at;
  // Networks that were measured and that the final training should have, what adds most first: what the
  // policy expects of them after it, and not how they were read, makes them so. Empty: as they were read.
  std::vector<Choice> finalists = {};
};

using Action = std::variant<Trial, Advance, Probe, Stop>;

// Uniform 8 bit on a ticket's weights, read on the same images: what their training did to all networks
// of these weights.
struct SameWeights {
  double loss = 0.0;       // nats, mean over the images
  int correct = 0;         // of Scored::total
  double own_share = 0.0;  // TrainedWidths::OwnShare() of the ticket's widths
  // Standard error of ChargeOf() (policies/reward.h) by the choice of the images.
  double charge_error = 0.0;
  friend bool operator==(const SameWeights&, const SameWeights&) = default;
};

// The held-out loss, on the validation images.
struct Scored {
  double loss = 0.0;        // nats, mean over the images
  double loss_error = 0.0;  // standard error of that mean
  int correct = 0;
  int total = 0;
  // Standard error of loss - AnchorLoss() (policies/reward.h) by the choice of the images, where it is
  // known: anchor and network are read on the same ones. What the anchor is wrong by between its readings
  // and what another seed would have trained are not in it.
  std::optional<double> excess_error = std::nullopt;
  // Absent: the weights never trained, networks are compared without a final training, or uniform 8 bit's
  // loss on these weights is no finite number.
  std::optional<SameWeights> same_weights = std::nullopt;
  double error() const { return 1.0 - static_cast<double>(correct) / total; }
  friend bool operator==(const Scored&, const Scored&) = default;
};

// Mini-batches.
struct Progress {
  int depth = 0;  // that these weights have had, from the start on
  // That the search had spent, over all places, when this ticket had trained: of all tickets up to this
  // one, also where their training diverged.
  int spent = 0;
  friend bool operator==(const Progress&, const Progress&) = default;
};

// Everything as a ratio to uniform 8 bit, measured in the same interleaved rounds.
struct Measured {
  double ratio = 0.0;      // of latencies
  double ratio_low = 0.0;  // exact interval of the median
  double ratio_high = 0.0;
  bool is_noisy = false;                              // the board found its own windows disturbed
  std::optional<double> energy_ratio = std::nullopt;  // gross, by one sensor
  double energy_ratio_uncertainty = 0.0;              // half-width of its 95 % interval
  std::optional<double> model_energy_ratio = std::nullopt;
  friend bool operator==(const Measured&, const Measured&) = default;
};

// The board tried; a property of the candidate, final.
struct CandidateFailed {
  std::string detail;
  friend bool operator==(const CandidateFailed&, const CandidateFailed&) = default;
};

// No board of the class could be asked: a property of the world now.
struct BoardUnavailable {
  std::string detail;
  // The ratio of latencies that the class's table of layer times foretells, where the user asked for that.
  // No measurement: nothing is decided or compared by it. An environment gives no more of them than it
  // may measure.
  std::optional<double> predicted_ratio = std::nullopt;
  friend bool operator==(const BoardUnavailable&, const BoardUnavailable&) = default;
};

struct ClassOutcome {
  ClassId on;
  std::variant<Measured, CandidateFailed, BoardUnavailable> result;
  double board_seconds = 0.0;  // that measuring took
  // Which board of the class gave the result, as its user calls it; empty where nobody said. Nothing is
  // decided by it.
  std::string board = {};
  friend bool operator==(const ClassOutcome&, const ClassOutcome&) = default;
};

struct TrialOutcome {
  TicketId id = 0;
  Progress at;
  std::optional<double> train_loss;   // mean over the ticket's mini-batches; absent without any
  std::optional<Scored> score;        // absent: training diverged
  std::vector<ClassOutcome> classes;  // parallel to Trial::classes
  friend bool operator==(const TrialOutcome&, const TrialOutcome&) = default;
};

struct Advanced {
  TicketId id = 0;
  Progress at;
  std::optional<double> train_loss;  // absent: training diverged
  friend bool operator==(const Advanced&, const Advanced&) = default;
};

struct Probed {
  TicketId id = 0;
  // Parallel to Probe::choices: nats, mean KL to the float network. Absent where it is no finite number:
  // the weights diverged, as one sees at these widths.
  std::vector<std::optional<double>> divergence;
  friend bool operator==(const Probed&, const Probed&) = default;
};

// What a search may spend in all.
struct Totals {
  int measurements = 0;  // one for each class of each trial
  int mini_batches = 0;
  std::optional<double> board_seconds = std::nullopt;
  friend bool operator==(const Totals&, const Totals&) = default;
};

struct Conditions {
  std::map<ClassId, int> slots;  // how many tickets each class takes in flight; 0: no board now
  Totals totals;
  friend bool operator==(const Conditions&, const Conditions&) = default;
};

using Observation = std::variant<TrialOutcome, Advanced, Probed, Conditions>;

class Environment {
 public:
  virtual ~Environment() = default;

  virtual const SearchProblem& problem() const = 0;

  // Errors: kInvalidArgument if the action is illegal; nothing was submitted then.
  virtual Status Submit(const Action& action) = 0;

  // Waits for what finishes next. nullopt: interrupted (user, all boards gone); tickets stay
  // submitted, and run again in order when the search goes on.
  //
  // REQUIRES: something is in flight, or Conditions are to come: the first ones, or those of a search
  // that is extended.
  virtual std::optional<Observation> Next() = 0;

  // Places that must stay, beside those that View::IsKept() names: the policy's Keeps(). Others are
  // dropped and can never be named again.
  virtual void Keep(const std::vector<TicketId>& places) = 0;
};

}  // namespace bitpilot

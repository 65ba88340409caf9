// Episodes: what a search decided and what came of it, from its log alone. An episode is what a
// policy does between two restarts; a decision is one action.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"
#include "policies/environment.h"
#include "policies/reward.h"
#include "policies/search_problem.h"

namespace bitpilot {

// A variable whose width is another one than at the place that an action starts from.
struct WidthChange {
  DecisionVariable::Kind kind = DecisionVariable::Kind::kWeights;
  std::string name;  // of the layer or tensor
  int from = 0;
  int to = 0;
};

// What an action came to. A trial has all of it, the others what they ask for.
struct DecisionOutcome {
  TransitionStatus status = TransitionStatus::kUnmeasured;  // of a trial
  bool diverged = false;                                    // its training did
  std::optional<Progress> at;                               // null in logs of an older bitpilot
  std::optional<double> train_loss;
  std::optional<double> loss;        // on the validation images, as read, nats
  std::optional<double> accuracy;    // likewise, in [0, 1]
  std::optional<ExcessLoss> excess;  // over uniform 8 bit trained alone for as long
  std::optional<ExcessLoss> charge;  // what the reward charges for the loss: ChargeOf()
  std::optional<double>
      ratio;               // of latencies to uniform 8 bit, as the search's objective joins classes
  double ratio_low = 0.0;  // its interval; both 0 where there is none
  double ratio_high = 0.0;
  std::optional<double> energy_ratio;  // measured, or claimed by a model board
  std::vector<ClassOutcome> classes;   // as each class answered
  std::optional<double> reward;        // JointUtility()
  bool on_front = false;               // nothing measured before dominated it
  // Of a probe: parallel to its choices; absent where it is no finite number.
  std::vector<std::optional<double>> divergence;
};

struct Decision {
  enum class Kind : std::uint8_t { kTrial, kAdvance, kProbe, kStop };
  Kind kind = Kind::kTrial;
  int step = -1;  // of a trial: 0, 1, ...; -1 of all others
  // In logs of an older bitpilot the step's number from 1, each from the one before.
  TicketId ticket = 0;  // 0 of a stop
  TicketId from = 0;    // the place: a ticket, 0 for the start
  int episode = 0;
  Choice choice;  // empty of a probe and a stop
  std::vector<WidthChange> changes;
  Pace pace;
  std::vector<ClassId> classes;
  Origin origin = Origin::kUnknown;
  std::string reason;
  std::optional<DecisionFigures> figures;  // what the policy expected, if it plans
  std::optional<DecisionOutcome> outcome;  // null of a stop, and while it is in flight
  std::size_t num_finalists = 0;           // of a stop: that the policy named
  bool is_place = false;  // a later action starts from it: the search went on there
};

// "trial", "advance", "probe", "stop".
std::string_view ToString(Decision::Kind kind);

struct Episodes {
  SearchProblem problem;            // as far as the log tells; its table is empty
  std::vector<Decision> decisions;  // in the order of the log
};

// A pure function of a study's configuration and events: needs neither network nor board.
//
// Errors: kDataCorrupt names the event that cannot be read, or an answer to nothing.
Result<Episodes> ReadEpisodes(const std::string& config_json, const std::vector<Event>& events);

}  // namespace bitpilot

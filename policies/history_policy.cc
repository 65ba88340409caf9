#include "policies/history_policy.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "kernels/base/check.h"
#include "policies/networks_left.h"
#include "policies/pace.h"

namespace bitpilot {
namespace {

using nlohmann::json;

constexpr int kHistoryStateVersion = 3;
constexpr double kWorstLoss = 1e6;  // nats, for training that diverged
constexpr int kMaxNeighboursTried = 65'536;

std::set<Choice> ChoicesInFlight(const View& view) {
  std::set<Choice> choices;
  for (const Action& action : view.in_flight()) {
    if (const auto* trial = std::get_if<Trial>(&action)) choices.insert(trial->what.choice);
  }
  return choices;
}

}  // namespace

int HistoryPolicy::Room(const View& view, const std::vector<ClassId>& classes) {
  int room = NetworksLeftToMeasure(view);
  for (const ClassId& on : classes) room = std::min(room, view.FreeSlots(on));
  return room;
}

std::vector<Action> HistoryPolicy::Act(const View& view) {
  if (!view.conditions() || view.stopped_at()) return {};
  const std::vector<ClassId> classes = view.Classes();
  int room = unavailable_in_a_row_ < kMaxUnavailableInARow ? Room(view, classes) : 0;
  tried_ = ChoicesInFlight(view);
  repeats_lacking_ = false;
  std::vector<Action> actions;
  TicketId ticket = view.next_ticket();
  Place from = view.latest();
  int ahead = 0;
  while (room > 0) {
    const std::vector<Candidate> candidates = Propose(ticket, room);
    BITPILOT_CHECK(static_cast<int>(candidates.size()) <= room);
    if (candidates.empty()) {
      if (repeats_lacking_ || lacking_.empty()) break;
      repeats_lacking_ = true;
    }
    for (const Candidate& candidate : candidates) {
      Trial trial{.id = ticket,
                  .what = candidate,
                  .from = from,
                  .train = PaceOf(view, problem_.batches_per_step, ahead),
                  .classes = classes};
      ahead += trial.train.batches;
      if (trial.train.batches > 0) from = {ticket};
      tried_.insert(candidate.choice);
      actions.emplace_back(std::move(trial));
      ++ticket;
      --room;
    }
  }
  tried_.clear();
  repeats_lacking_ = false;
  // What is in flight may give its measurement back.
  if (actions.empty() && view.in_flight().empty() && !classes.empty()) {
    actions.emplace_back(Stop{view.latest()});
  }
  return actions;
}

void HistoryPolicy::Observe(const View& view, const Observation& observation) {
  if (std::holds_alternative<Conditions>(observation)) {
    unavailable_in_a_row_ = 0;
    lacking_.clear();
  }
  if (!std::holds_alternative<TrialOutcome>(observation)) return;
  const AnsweredTrial& answered = view.answered().back();
  Transition transition = ToTransition(problem_, answered.trial, answered.outcome);
  if (transition.status == TransitionStatus::kDiverged) {
    transition.loss = kWorstLoss;
    transition.accuracy = 0.0;
  }
  if (transition.status == TransitionStatus::kUnavailable) {
    if (!IsWithoutAnyBoard(answered.outcome)) {
      lacking_.insert(transition.choice);
    } else if (++unavailable_in_a_row_;
               ++without_board_[transition.choice] >= kMaxTriesWithoutBoard) {
      seen_.insert(transition.choice);
    }
  } else {
    unavailable_in_a_row_ = 0;
    lacking_.clear();
    seen_.insert(transition.choice);
  }
  history_.push_back(std::move(transition));
}

std::string HistoryPolicy::Save() const {
  return json{{"version", kHistoryStateVersion},
              {"policy", name()},
              {"seed", seed_},
              {"variables", VariableNames(problem_)}}
      .dump();
}

Status HistoryPolicy::Load(std::string_view state) {
  const std::string who = "state of policy " + name();
  try {
    const json object = json::parse(state);
    if (object.at("version").get<int>() != kHistoryStateVersion || object.at("policy") != name() ||
        object.at("variables") != json(VariableNames(problem_))) {
      return DataCorrupt(who + ": expected version " + std::to_string(kHistoryStateVersion) +
                         " of this policy for this problem's " +
                         std::to_string(problem_.variables.size()) + " variables");
    }
    seed_ = object.at("seed").get<std::uint64_t>();
  } catch (const json::exception& error) {
    return DataCorrupt(who + ": not what Save() wrote: " + error.what());
  }
  return Status();
}

bool HistoryPolicy::KeepsSize(const Choice& choice) const {
  const std::optional<std::int64_t>& limit = problem_.budgets.max_weight_bytes;
  return !limit || cost_.Predict(choice).weight_bytes <= *limit;
}

std::vector<Candidate> HistoryPolicy::Unseen(const std::vector<Candidate>& candidates,
                                             int count) const {
  std::vector<Candidate> unseen;
  std::set<Choice> taken;
  for (const Candidate& candidate : candidates) {
    if (static_cast<int>(unseen.size()) < count && !Seen(candidate.choice) &&
        taken.insert(candidate.choice).second) {
      unseen.push_back(candidate);
    }
  }
  return unseen;
}

Choice HistoryPolicy::NearestUnseen(Choice choice, RandomStream& random) const {
  const int count = static_cast<int>(choice.size());
  const auto position = [&](int variable) {
    const std::vector<int>& widths = problem_.variables[static_cast<std::size_t>(variable)].widths;
    const int width = choice[static_cast<std::size_t>(variable)];
    return std::lower_bound(widths.begin(), widths.end(), width) - widths.begin();
  };
  // Too large: narrow weights at random until it fits or nothing is left to narrow.
  std::vector<int> narrowable;
  for (int i = 0; i < count; ++i) {
    if (cost_.NumWeights(i) > 0 && position(i) > 0) {
      narrowable.push_back(i);
    }
  }
  while (!KeepsSize(choice) && !narrowable.empty()) {
    const int pick = random.NextIndex(static_cast<int>(narrowable.size()));
    const int variable = narrowable[static_cast<std::size_t>(pick)];
    const std::vector<int>& widths = problem_.variables[static_cast<std::size_t>(variable)].widths;
    choice[static_cast<std::size_t>(variable)] =
        widths[static_cast<std::size_t>(position(variable) - 1)];
    if (position(variable) == 0) {
      narrowable.erase(narrowable.begin() + pick);
    }
  }
  // Seen: count on, the first variable's widths fastest.
  for (int tried = 0; tried < kMaxNeighboursTried; ++tried) {
    if (!Seen(choice) && KeepsSize(choice)) {
      return choice;
    }
    for (int i = 0; i < count; ++i) {
      const auto& widths = problem_.variables[static_cast<std::size_t>(i)].widths;
      const auto next = static_cast<std::size_t>(position(i) + 1);
      const bool carries = next == widths.size();
      choice[static_cast<std::size_t>(i)] = carries ? widths.front() : widths[next];
      if (!carries) {
        break;
      }
    }
  }
  return {};
}

}  // namespace bitpilot

#include "policies/history_policy.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using nlohmann::json;

constexpr int kStateVersion = 2;
constexpr double kWorstLoss = 1e6;  // nats, for training that diverged
constexpr int kMaxNeighboursTried = 65'536;

json OrNull(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::optional<double> ToOptional(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

json ToJson(const Transition& transition) {
  return {{"choice", transition.choice},
          {"status", static_cast<int>(transition.status)},
          {"latency_ns", OrNull(transition.latency_ns)},
          {"latency_low_ns", transition.latency_low_ns},
          {"latency_high_ns", transition.latency_high_ns},
          {"energy_ratio", OrNull(transition.energy_ratio)},
          {"energy_ratio_uncertainty", transition.energy_ratio_uncertainty},
          {"model_energy_ratio", OrNull(transition.model_energy_ratio)},
          {"loss", transition.loss},
          {"accuracy", transition.accuracy},
          {"weight_bytes", transition.weight_bytes}};
}

// Throws json::exception where a field is missing or of another type.
Transition TransitionFromJson(const json& object) {
  Transition transition;
  transition.choice = object.at("choice").get<Choice>();
  transition.status = static_cast<TransitionStatus>(object.at("status").get<int>());
  transition.latency_ns = ToOptional(object.at("latency_ns"));
  transition.latency_low_ns = object.at("latency_low_ns").get<double>();
  transition.latency_high_ns = object.at("latency_high_ns").get<double>();
  transition.energy_ratio = ToOptional(object.at("energy_ratio"));
  transition.energy_ratio_uncertainty = object.at("energy_ratio_uncertainty").get<double>();
  transition.model_energy_ratio = ToOptional(object.at("model_energy_ratio"));
  transition.loss = object.at("loss").get<double>();
  transition.accuracy = object.at("accuracy").get<double>();
  transition.weight_bytes = object.at("weight_bytes").get<std::int64_t>();
  return transition;
}

// Absent, or finite and positive beside a measured latency.
bool IsRatio(bool measured, const std::optional<double>& ratio) {
  return !ratio || (measured && std::isfinite(*ratio) && *ratio > 0.0);
}

bool IsWellFormed(const SearchProblem& problem, const Transition& transition) {
  const bool measured = transition.status == TransitionStatus::kMeasured;
  const bool known = measured || transition.status == TransitionStatus::kRejected ||
                     transition.status == TransitionStatus::kFailed ||
                     transition.status == TransitionStatus::kDiverged;
  const double latency_ns = transition.latency_ns.value_or(1.0);
  return known && measured == transition.latency_ns.has_value() && std::isfinite(latency_ns) &&
         latency_ns > 0.0 && IsRatio(measured, transition.energy_ratio) &&
         IsRatio(measured, transition.model_energy_ratio) && IsLegal(problem, transition.choice);
}

json VariableNames(const SearchProblem& problem) {
  json names = json::array();
  for (const DecisionVariable& variable : problem.variables) {
    const bool weights = variable.kind == DecisionVariable::Kind::kWeights;
    names.push_back((weights ? "weights " : "activations ") + variable.name);
  }
  return names;
}

}  // namespace

void HistoryPolicy::Observe(const Transition& transition) {
  BITPILOT_CHECK(IsWellFormed(problem_, transition));
  Transition kept = transition;
  if (kept.status == TransitionStatus::kDiverged || !std::isfinite(kept.loss) ||
      !std::isfinite(kept.accuracy)) {
    kept.loss = kWorstLoss;
    kept.accuracy = 0.0;
  }
  seen_.insert(kept.choice);
  history_.push_back(std::move(kept));
}

std::string HistoryPolicy::Save() const {
  json transitions = json::array();
  for (const Transition& transition : history_) {
    transitions.push_back(ToJson(transition));
  }
  return json{{"version", kStateVersion},
              {"policy", name()},
              {"seed", seed_},
              {"variables", VariableNames(problem_)},
              {"transitions", std::move(transitions)}}
      .dump();
}

Status HistoryPolicy::Load(std::string_view state) {
  const std::string who = "state of policy " + name();
  try {
    const json object = json::parse(state);
    if (object.at("version").get<int>() != kStateVersion || object.at("policy") != name() ||
        object.at("variables") != VariableNames(problem_)) {
      return DataCorrupt(who + ": expected version " + std::to_string(kStateVersion) +
                         " of this policy for this problem's " +
                         std::to_string(problem_.variables.size()) + " variables");
    }
    std::vector<Transition> history;
    std::set<Choice> seen;
    for (const json& item : object.at("transitions")) {
      history.push_back(TransitionFromJson(item));
      if (!IsWellFormed(problem_, history.back())) {
        return DataCorrupt(who + ": transition " + std::to_string(history.size()) +
                           " has an illegal choice, status or latency");
      }
      seen.insert(history.back().choice);
    }
    seed_ = object.at("seed").get<std::uint64_t>();
    history_ = std::move(history);
    seen_ = std::move(seen);
  } catch (const json::exception& error) {
    return DataCorrupt(who + ": not what Save() wrote: " + error.what());
  }
  return Status();
}

bool HistoryPolicy::KeepsSize(const Choice& choice) const {
  const std::optional<std::int64_t>& limit = problem_.budgets.max_weight_bytes;
  return !limit || cost_.Predict(choice).weight_bytes <= *limit;
}

std::vector<Proposal> HistoryPolicy::Unseen(const std::vector<Proposal>& proposals,
                                            const SearchState& state) const {
  std::vector<Proposal> unseen;
  std::set<Choice> taken;
  for (const Proposal& proposal : proposals) {
    if (static_cast<int>(unseen.size()) < state.measurements_left && !Seen(proposal.choice) &&
        taken.insert(proposal.choice).second) {
      unseen.push_back(proposal);
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

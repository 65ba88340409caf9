#include "agent/study/episodes.h"

#include <algorithm>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/study/search_config.h"
#include "kernels/base/standard_networks.h"
#include "policies/acquisition.h"
#include "policies/class_objective.h"

namespace bitpilot {
namespace {

template <typename T>
Result<T> Parse(const Event& event) {
  Result<T> parsed = ParseEvent<T>(event.payload);
  if (parsed.ok()) return parsed;
  return parsed.status().WithContext("event " + std::to_string(event.seq) + " (" + event.kind +
                                     ")");
}

class Reader {
 public:
  explicit Reader(const std::string& config_json) {
    // What no present bitpilot can read is shown without budgets.
    const auto json = nlohmann::json::parse(config_json, nullptr, /*allow_exceptions=*/false);
    const Result<SearchConfig> config = SearchConfigFromJson(json);
    if (!config.ok()) return;
    SearchProblem& problem = episodes_.problem;
    problem.budgets = config->budgets;
    problem.class_objective = ParseClassObjective(config->objective);
    problem.max_measurements = config->measurements;
    problem.batches_per_step = config->train_batches;
    problem.final_batches = config->final_batches.value_or(0);
    Result<Topology> topology = StandardTopology(config->model);
    if (topology.ok()) problem.topology = std::move(*topology);
  }

  Status Read(const Event& event) {
    if (event.kind == AgentEvent::kKind) return Add<AgentEvent>(event);
    if (event.kind == ProblemEvent::kKind) return Add<ProblemEvent>(event);
    if (event.kind == AnchorEvent::kKind) return Add<AnchorEvent>(event);
    if (event.kind == ProposalEvent::kKind) return Add<ProposalEvent>(event);
    if (event.kind == AdvanceEvent::kKind) return Add<AdvanceEvent>(event);
    if (event.kind == ProbeEvent::kKind) return Add<ProbeEvent>(event);
    if (event.kind == StopEvent::kKind) return Add<StopEvent>(event);
    if (event.kind == TransitionEvent::kKind) return Add<TransitionEvent>(event);
    if (event.kind == AdvancedEvent::kKind) return Add<AdvancedEvent>(event);
    if (event.kind == ProbedEvent::kKind) return Add<ProbedEvent>(event);
    return Status();
  }

  Episodes Finish() { return std::move(episodes_); }

 private:
  template <typename T>
  Status Add(const Event& event) {
    Result<T> parsed = Parse<T>(event);
    if (!parsed.ok()) return parsed.status();
    return Take(*parsed).WithContext("event " + std::to_string(event.seq) + " (" + event.kind +
                                     ")");
  }

  Status Take(const AgentEvent& event) {
    version_ = std::max(version_, event.log_version);
    return Status();
  }

  Status Take(ProblemEvent& event) {
    episodes_.problem.variables = std::move(event.variables);
    episodes_.problem.uniform8 = event.uniform8;
    episodes_.problem.energy_objective = event.energy_objective;
    widths_[0] = UniformChoice(episodes_.problem, 8);
    return Status();
  }

  Status Take(AnchorEvent& event) {
    if (event.anchor.readings.empty()) return DataCorrupt("an anchor without readings");
    episodes_.problem.anchor = std::move(event.anchor);
    return Status();
  }

  Status Take(ProposalEvent& event) {
    Decision decision;
    decision.step = event.step;
    decision.classes = event.classes;
    // Before places there was one network, which the steps trained in their order.
    if (!HasTickets()) {
      event.ticket = event.step + 1;
      event.from = event.step;
    }
    decision.figures = event.figures;
    return Train(Decision::Kind::kTrial, event, std::move(decision));
  }

  Status Take(AdvanceEvent& event) {
    Decision decision;
    decision.figures = event.figures;
    return Train(Decision::Kind::kAdvance, event, std::move(decision));
  }

  Status Take(const ProbeEvent& event) {
    Decision decision;
    decision.kind = Decision::Kind::kProbe;
    decision.ticket = event.ticket;
    decision.from = event.from;
    return Append(std::move(decision));
  }

  Status Take(const StopEvent& event) {
    Decision decision;
    decision.kind = Decision::Kind::kStop;
    decision.from = event.at;
    decision.num_finalists = event.finalists.size();
    return Append(std::move(decision));
  }

  // Of a trial and an advance, whose events have these members alike.
  template <typename T>
  Status Train(Decision::Kind kind, const T& event, Decision decision) {
    decision.kind = kind;
    decision.ticket = event.ticket;
    decision.from = event.from;
    decision.episode = event.episode;
    decision.choice = event.choice;
    decision.pace = event.pace;
    decision.origin = event.origin;
    decision.reason = event.reason;
    decision.changes = ChangesOf(event.from, event.choice);
    widths_[event.ticket] = event.choice;
    return Append(std::move(decision));
  }

  std::vector<WidthChange> ChangesOf(TicketId from, const Choice& choice) const {
    const auto before = widths_.find(from);
    if (before == widths_.end() || before->second.size() != choice.size()) return {};
    const std::vector<DecisionVariable>& variables = episodes_.problem.variables;
    std::vector<WidthChange> changes;
    for (std::size_t i = 0; i < std::min(choice.size(), variables.size()); ++i) {
      if (before->second[i] == choice[i]) continue;
      changes.push_back({variables[i].kind, variables[i].name, before->second[i], choice[i]});
    }
    return changes;
  }

  Status Append(Decision decision) {
    if (const auto place = decision_of_.find(decision.from); place != decision_of_.end()) {
      episodes_.decisions[place->second].is_place = true;
    }
    if (decision.kind != Decision::Kind::kStop) {
      decision_of_[decision.ticket] = episodes_.decisions.size();
    }
    episodes_.decisions.push_back(std::move(decision));
    return Status();
  }

  Result<Decision*> Answered(TicketId ticket) {
    const auto found = decision_of_.find(ticket);
    if (found == decision_of_.end()) {
      return DataCorrupt("answers ticket " + std::to_string(ticket) + ", which nothing asked for");
    }
    return &episodes_.decisions[found->second];
  }

  Status Take(const TransitionEvent& event) {
    const TicketId ticket = HasTickets() ? event.ticket : event.step + 1;
    const Result<Decision*> decision = Answered(ticket);
    if (!decision.ok()) return decision.status();
    const Transition& transition = event.transition;
    DecisionOutcome outcome;
    outcome.status = transition.status;
    outcome.diverged = transition.status == TransitionStatus::kDiverged;
    outcome.train_loss = event.train_loss;
    outcome.energy_ratio =
        transition.energy_ratio ? transition.energy_ratio : transition.model_energy_ratio;
    if (HasTickets()) {
      FillScore(event, outcome);
    } else if (!outcome.diverged && transition.status != TransitionStatus::kRejected) {
      outcome.loss = transition.loss;
      outcome.accuracy = transition.accuracy;
      if (transition.latency_ns) {
        outcome.ratio = *transition.latency_ns / episodes_.problem.uniform8.latency_ns;
      }
    }
    outcome.on_front = JoinFront(transition);
    if (outcome.diverged) UndoWidths(ticket, (*decision)->from);
    (*decision)->outcome = std::move(outcome);
    return Status();
  }

  void FillScore(const TransitionEvent& event, DecisionOutcome& outcome) const {
    const SearchProblem& problem = episodes_.problem;
    outcome.at = event.at;
    outcome.classes = event.classes;
    if (event.score) {
      outcome.loss = event.score->loss;
      outcome.accuracy = 1.0 - event.score->error();
    }
    const std::optional<JointMeasured> joint = JointOf(problem.class_objective, event.Outcome());
    if (event.transition.latency_ns && joint) {
      outcome.ratio = joint->figures.ratio;
      outcome.ratio_low = joint->figures.ratio_low;
      outcome.ratio_high = joint->figures.ratio_high;
    }
    if (problem.anchor.readings.empty()) return;
    if (event.score) {
      outcome.excess = ExcessOf(problem.anchor, *event.score, event.at.depth);
      outcome.charge = ChargeOf(problem.anchor, *event.score, event.at.depth);
    }
    outcome.reward = JointUtility(problem, event.Outcome());
  }

  Status Take(const AdvancedEvent& event) {
    const Result<Decision*> decision = Answered(event.advanced.id);
    if (!decision.ok()) return decision.status();
    DecisionOutcome outcome;
    outcome.at = event.advanced.at;
    outcome.train_loss = event.advanced.train_loss;
    outcome.diverged = !event.advanced.train_loss;
    if (outcome.diverged) UndoWidths(event.advanced.id, (*decision)->from);
    (*decision)->outcome = std::move(outcome);
    return Status();
  }

  Status Take(const ProbedEvent& event) {
    const Result<Decision*> decision = Answered(event.probed.id);
    if (!decision.ok()) return decision.status();
    DecisionOutcome outcome;
    outcome.divergence = event.probed.divergence;
    (*decision)->outcome = std::move(outcome);
    return Status();
  }

  // The place of a ticket whose training diverged is the one that it began from.
  void UndoWidths(TicketId ticket, TicketId from) {
    if (const auto before = widths_.find(from); before != widths_.end()) {
      widths_[ticket] = before->second;
    }
  }

  // True if nothing that was measured before dominates it.
  bool JoinFront(const Transition& transition) {
    if (!HasObjectives(episodes_.problem, transition)) return false;
    const Objectives point = MeasuredObjectives(episodes_.problem, transition);
    const bool on_front = std::none_of(front_.begin(), front_.end(), [&](const Objectives& other) {
      return other == point || Dominates(other, point);
    });
    if (!on_front) return false;
    std::erase_if(front_, [&](const Objectives& other) { return Dominates(point, other); });
    front_.push_back(point);
    return true;
  }

  bool HasTickets() const { return version_ >= 3; }

  Episodes episodes_;
  int version_ = 1;                              // of a log without agent events
  std::map<TicketId, Choice> widths_;            // at each place
  std::map<TicketId, std::size_t> decision_of_;  // ticket
  std::vector<Objectives> front_;
};

}  // namespace

std::string_view ToString(Decision::Kind kind) {
  switch (kind) {
    case Decision::Kind::kTrial:
      return "trial";
    case Decision::Kind::kAdvance:
      return "advance";
    case Decision::Kind::kProbe:
      return "probe";
    case Decision::Kind::kStop:
      break;
  }
  return "stop";
}

Result<Episodes> ReadEpisodes(const std::string& config_json, const std::vector<Event>& events) {
  Reader reader(config_json);
  for (const Event& event : events) BITPILOT_RETURN_IF_ERROR(reader.Read(event));
  return reader.Finish();
}

}  // namespace bitpilot

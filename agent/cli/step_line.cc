#include "agent/cli/step_line.h"

#include <algorithm>
#include <optional>
#include <variant>

#include <nlohmann/json.hpp>

#include "agent/study/class_latency.h"
#include "agent/study/formatted.h"
#include "policies/class_objective.h"
#include "policies/reward.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// What each class answered, the board that did among it.
Json ClassesArray(const SearchProblem& problem, const TransitionEvent& answer) {
  Json classes = Json::array();
  for (const ClassOutcome& outcome : answer.classes) {
    Json one = {{"on", outcome.on},
                {"board", outcome.board.empty() ? Json(nullptr) : Json(outcome.board)},
                {"board_seconds", outcome.board_seconds},
                {"latency_ns", nullptr},
                {"latency_ratio", nullptr}};
    if (const auto* measured = std::get_if<Measured>(&outcome.result)) {
      one["latency_ratio"] = measured->ratio;
      if (const std::optional<double> ns = ClassLatencyNs(problem, outcome))
        one["latency_ns"] = *ns;
    } else if (const auto* away = std::get_if<BoardUnavailable>(&outcome.result)) {
      if (away->predicted_ratio) one["predicted_latency_ratio"] = *away->predicted_ratio;
    }
    classes.push_back(std::move(one));
  }
  return classes;
}

// The board whose ratio the step's is: of several classes that of the objective's, or the slowest's.
Json BoardOf(const SearchProblem& problem, const TransitionEvent& answer) {
  if (!answer.transition.latency_ns) return nullptr;
  const ClassOutcome* shown = nullptr;
  double slowest = 0.0;
  for (const ClassOutcome& outcome : answer.classes) {
    const auto* measured = std::get_if<Measured>(&outcome.result);
    if (measured == nullptr || !Counts(problem.class_objective, outcome.on)) continue;
    if (shown == nullptr || measured->ratio > slowest) shown = &outcome;
    slowest = std::max(slowest, measured->ratio);
  }
  const bool is_mean = problem.class_objective.kind == ClassObjective::Kind::kMean;
  if (shown == nullptr || shown->board.empty() || (is_mean && answer.classes.size() > 1)) {
    return nullptr;
  }
  return shown->board;
}

// " on bench-1", or what each of several classes answered.
std::string WhereMeasured(const TransitionEvent& answer) {
  if (answer.classes.size() == 1) {
    const std::string& board = answer.classes.front().board;
    return board.empty() ? "" : " on " + board;
  }
  std::string text;
  for (const ClassOutcome& outcome : answer.classes) {
    const auto* measured = std::get_if<Measured>(&outcome.result);
    if (measured == nullptr) continue;
    text += (text.empty() ? " (" : ", ") + outcome.on + Formatted(" %.3fx", measured->ratio) +
            (outcome.board.empty() ? "" : " on " + outcome.board);
  }
  return text.empty() ? "" : text + ")";
}

}  // namespace

Json StepLine(const SearchProblem& problem, const ProposalEvent& proposal,
              const TransitionEvent& answer, double hypervolume) {
  const Transition& transition = answer.transition;
  const bool diverged = transition.status == TransitionStatus::kDiverged;
  const std::optional<double> reward = JointUtility(problem, answer.Outcome());
  Json line = {{"type", "step"},
               {"step", proposal.step},
               {"ticket", proposal.ticket},
               {"from", proposal.from},
               {"episode", proposal.episode},
               {"batches", proposal.pace.batches},
               {"rate", {proposal.pace.rate_begin, proposal.pace.rate_end}},
               {"depth", answer.at.depth},
               {"spent", answer.at.spent},
               {"assignment_id", proposal.assignment_id},
               {"origin", ToString(proposal.origin)},
               {"reason", proposal.reason},
               {"board", BoardOf(problem, answer)},
               {"classes", ClassesArray(problem, answer)},
               {"measured", transition.latency_ns.has_value()},
               {"diverged", diverged},
               {"latency_ns", nullptr},
               {"latency_ratio", nullptr},
               {"validation_accuracy", nullptr},
               {"validation_loss", nullptr},
               {"excess_loss", nullptr},
               {"excess_loss_error", nullptr},
               {"charged_loss", nullptr},
               {"charged_loss_error", nullptr},
               {"train_loss", answer.train_loss ? Json(*answer.train_loss) : Json(nullptr)},
               {"reward", reward ? Json(*reward) : Json(nullptr)},
               {"weight_bytes", transition.weight_bytes},
               {"hypervolume", hypervolume}};
  if (transition.latency_ns) {
    if (problem.class_uniform8_ns.empty()) line["latency_ns"] = *transition.latency_ns;
    line["latency_ratio"] = *transition.latency_ns / problem.uniform8.latency_ns;
  }
  if (answer.score) {
    const ExcessLoss excess = ExcessOf(problem.anchor, *answer.score, answer.at.depth);
    line["validation_accuracy"] = 1.0 - answer.score->error();
    line["validation_loss"] = answer.score->loss;
    line["excess_loss"] = excess.mean;
    line["excess_loss_error"] = excess.error;
    const ExcessLoss charge = ChargeOf(problem.anchor, *answer.score, answer.at.depth);
    line["charged_loss"] = charge.mean;
    line["charged_loss_error"] = charge.error;
  }
  return line;
}

std::string DescribeStep(const SearchProblem& problem, const TransitionEvent& answer) {
  std::string text = "training diverged";
  if (answer.score) {
    const ExcessLoss charge = ChargeOf(problem.anchor, *answer.score, answer.at.depth);
    text = Formatted("loss %.3f (charged %+.3f)", answer.score->loss, charge.mean);
  }
  if (answer.transition.latency_ns) {
    text += Formatted(", %.3fx", *answer.transition.latency_ns / problem.uniform8.latency_ns) +
            WhereMeasured(answer);
  } else if (!answer.classes.empty()) {  // otherwise no board was asked
    text += ", not measured";
    for (const ClassOutcome& outcome : answer.classes) {
      const auto* away = std::get_if<BoardUnavailable>(&outcome.result);
      if (away == nullptr || !away->predicted_ratio) continue;
      const bool is_only = answer.classes.size() == 1;
      text += (is_only ? ", " : ", " + outcome.on + " ") +
              Formatted("predicted %.3fx (no board)", *away->predicted_ratio);
    }
    if (answer.classes.size() > 1) text += WhereMeasured(answer);
  }
  return text;
}

}  // namespace bitpilot

#include "agent/cli/episodes_output.h"

#include <algorithm>
#include <cstdio>
#include <variant>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/study/formatted.h"
#include "kernels/base/joined.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kShownChanges = 4;
constexpr double kInterval = 1.96;  // standard deviations in half a 95 % interval

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string_view KindOf(const WidthChange& change) {
  return change.kind == DecisionVariable::Kind::kWeights ? "weights" : "activations";
}

// "2 widths (conv1 w8>4, conv2 a8>6)".
std::string Changes(const Decision& decision) {
  const std::vector<WidthChange>& changes = decision.changes;
  if (changes.empty()) return "same widths";
  std::string list;
  for (std::size_t i = 0; i < std::min(changes.size(), kShownChanges); ++i) {
    list += (i == 0 ? "" : ", ") + changes[i].name +
            Formatted(" %c%d>%d", KindOf(changes[i])[0], changes[i].from, changes[i].to);
  }
  if (changes.size() > kShownChanges) {
    list += Formatted(", and %zu more", changes.size() - kShownChanges);
  }
  return Formatted("%zu width%s (", changes.size(), changes.size() == 1 ? "" : "s") + list + ")";
}

std::string NameOf(TicketId ticket) {
  return ticket == 0 ? "the start" : "#" + std::to_string(ticket);
}

std::string Failure(const DecisionOutcome& outcome) {
  for (const ClassOutcome& each : outcome.classes) {
    if (const auto* failed = std::get_if<CandidateFailed>(&each.result)) {
      return "failed on " + std::string(each.on == kOnlyClass ? "the board" : each.on) + ": " +
             failed->detail;
    }
    if (const auto* away = std::get_if<BoardUnavailable>(&each.result)) {
      const std::string predicted =
          away->predicted_ratio ? Formatted("; predicted %.3fx", *away->predicted_ratio) : "";
      return "no board of " + ClassLabel(each.on) + ": " + away->detail + predicted;
    }
  }
  switch (outcome.status) {
    case TransitionStatus::kRejected:
      return "above the budget of weight bytes";
    case TransitionStatus::kFailed:
      return "not measured";
    default:
      return {};
  }
}

std::string Latency(const DecisionOutcome& outcome) {
  std::string text = Formatted("%.3fx", *outcome.ratio);
  if (outcome.ratio_high > 0.0) {
    text += Formatted(" (%.3f..%.3f)", outcome.ratio_low, outcome.ratio_high);
  }
  return text;
}

std::string Divergences(const std::vector<std::optional<double>>& divergences) {
  std::vector<double> finite;
  for (const std::optional<double>& divergence : divergences) {
    if (divergence) finite.push_back(*divergence);
  }
  std::vector<std::string> parts;
  if (!finite.empty()) {
    const auto [least, most] = std::minmax_element(finite.begin(), finite.end());
    parts.push_back(Formatted("%zu divergence%s of %.4f to %.4f", finite.size(),
                              finite.size() == 1 ? "" : "s", *least, *most));
  }
  const std::size_t others = divergences.size() - finite.size();
  if (others > 0) {
    parts.push_back(
        Formatted("%zu no finite number%s (the weights diverged)", others, others == 1 ? "" : "s"));
  }
  return Joined(parts);
}

std::string Outcome(const DecisionOutcome& outcome) {
  std::vector<std::string> parts;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) parts.push_back(part);
  };
  if (outcome.diverged) add("training diverged");
  if (outcome.loss) {
    std::string loss = Formatted("loss %.4f", *outcome.loss);
    if (outcome.excess) {
      loss += Formatted(" (8 bit %+.4f +- %.4f)", outcome.excess->mean,
                        kInterval * outcome.excess->error);
    }
    if (outcome.charge && outcome.charge->mean != outcome.excess->mean) {
      loss += Formatted(", charged %+.4f +- %.4f", outcome.charge->mean,
                        kInterval * outcome.charge->error);
    }
    add(loss);
  }
  if (!outcome.loss && outcome.train_loss)
    add(Formatted("training loss %.4f", *outcome.train_loss));
  if (outcome.accuracy) add(Formatted("accuracy %.4f", *outcome.accuracy));
  if (outcome.ratio) add(Latency(outcome));
  if (outcome.energy_ratio) add(Formatted("energy %.3fx", *outcome.energy_ratio));
  add(Failure(outcome));
  add(Divergences(outcome.divergence));
  if (outcome.reward) add(Formatted("reward %+.4f", *outcome.reward));
  if (outcome.on_front) add("on the front");
  return parts.empty() ? "nothing" : Joined(parts);
}

Json DivergenceList(const std::vector<std::optional<double>>& divergences) {
  Json list = Json::array();
  for (const std::optional<double>& each : divergences) {
    list.push_back(each ? Json(*each) : Json(nullptr));
  }
  return list;
}

Json ClassLine(const ClassOutcome& outcome) {
  Json line = {{"on", outcome.on},
               {"board", outcome.board.empty() ? Json(nullptr) : Json(outcome.board)},
               {"board_seconds", outcome.board_seconds}};
  if (const auto* measured = std::get_if<Measured>(&outcome.result)) {
    line.update({{"status", "measured"},
                 {"latency_ratio", measured->ratio},
                 {"latency_ratio_ci", {measured->ratio_low, measured->ratio_high}},
                 {"noisy", measured->is_noisy}});
  } else if (const auto* failed = std::get_if<CandidateFailed>(&outcome.result)) {
    line.update({{"status", "failed"}, {"detail", failed->detail}});
  } else {
    const auto& away = std::get<BoardUnavailable>(outcome.result);
    line.update(
        {{"status", away.predicted_ratio ? "predicted" : "unavailable"}, {"detail", away.detail}});
    if (away.predicted_ratio) line["predicted_latency_ratio"] = *away.predicted_ratio;
  }
  return line;
}

std::string_view StatusWord(const Decision& decision) {
  if (decision.outcome->diverged) return "diverged";
  if (decision.kind != Decision::Kind::kTrial) return "done";
  switch (decision.outcome->status) {
    case TransitionStatus::kMeasured:
      return "measured";
    case TransitionStatus::kRejected:
      return "rejected";
    case TransitionStatus::kFailed:
      return "failed";
    case TransitionStatus::kDiverged:
      return "diverged";
    case TransitionStatus::kUnavailable:
      return "unavailable";
    case TransitionStatus::kUnmeasured:
      break;
  }
  return "unmeasured";
}

Json OutcomeObject(const Decision& decision) {
  if (!decision.outcome) return nullptr;
  const DecisionOutcome& outcome = *decision.outcome;
  Json classes = Json::array();
  for (const ClassOutcome& each : outcome.classes) classes.push_back(ClassLine(each));
  Json line = {{"status", StatusWord(decision)},
               {"diverged", outcome.diverged},
               {"depth", nullptr},
               {"spent", nullptr},
               {"train_loss", OrNull(outcome.train_loss)},
               {"loss", OrNull(outcome.loss)},
               {"excess_loss", nullptr},
               {"excess_loss_error", nullptr},
               {"charged_loss", nullptr},
               {"charged_loss_error", nullptr},
               {"accuracy", OrNull(outcome.accuracy)},
               {"latency_ratio", OrNull(outcome.ratio)},
               {"latency_ratio_ci", nullptr},
               {"energy_ratio", OrNull(outcome.energy_ratio)},
               {"classes", std::move(classes)},
               {"reward", OrNull(outcome.reward)},
               {"front", outcome.on_front},
               {"divergence", DivergenceList(outcome.divergence)}};
  if (outcome.at) {
    line["depth"] = outcome.at->depth;
    line["spent"] = outcome.at->spent;
  }
  if (outcome.excess) {
    line["excess_loss"] = outcome.excess->mean;
    line["excess_loss_error"] = outcome.excess->error;
  }
  if (outcome.charge) {
    line["charged_loss"] = outcome.charge->mean;
    line["charged_loss_error"] = outcome.charge->error;
  }
  if (outcome.ratio_high > 0.0) line["latency_ratio_ci"] = {outcome.ratio_low, outcome.ratio_high};
  return line;
}

}  // namespace

std::string DescribeDecision(const Decision& decision) {
  if (decision.kind == Decision::Kind::kStop) {
    std::string text = "stop at " + NameOf(decision.from);
    if (decision.num_finalists > 0) {
      text += ", to train " + Counted(decision.num_finalists, "network", "networks") + " further";
    }
    return text;
  }
  std::string text = NameOf(decision.ticket) + " ";
  if (decision.step >= 0) {
    text += "step " + std::to_string(decision.step + 1);
  } else {
    text += ToString(decision.kind);
  }
  text += " from " + NameOf(decision.from) + ": ";
  if (decision.kind != Decision::Kind::kProbe) {
    text += Changes(decision) + ", " + Counted(decision.pace.batches, "mini-batch", "mini-batches");
    if (!decision.reason.empty()) text += "; " + decision.reason;
  }
  if (decision.figures) {
    text += Formatted("; expected loss %.4f +- %.4f, value %.4f (staying %.4f, stopping %.4f)",
                      decision.figures->predicted_loss,
                      kInterval * decision.figures->predicted_error, decision.figures->value,
                      decision.figures->value_of_staying, decision.figures->value_of_stopping);
  }
  text += decision.outcome ? " => " + Outcome(*decision.outcome) : " => in flight";
  if (decision.is_place) text += ", went on from there";
  return text;
}

Json DecisionLine(const Decision& decision) {
  Json changes = Json::array();
  for (const WidthChange& change : decision.changes) {
    changes.push_back({{"kind", KindOf(change)},
                       {"name", change.name},
                       {"from", change.from},
                       {"to", change.to}});
  }
  Json expected = nullptr;
  if (decision.figures) {
    expected = {{"loss", decision.figures->predicted_loss},
                {"loss_error", decision.figures->predicted_error},
                {"value", decision.figures->value},
                {"value_of_staying", decision.figures->value_of_staying},
                {"value_of_stopping", decision.figures->value_of_stopping}};
  }
  return {{"type", "decision"},
          {"kind", ToString(decision.kind)},
          {"episode", decision.episode},
          {"step", decision.step < 0 ? Json(nullptr) : Json(decision.step)},
          {"ticket", decision.ticket},
          {"from", decision.from},
          {"choice", decision.choice},
          {"changes", std::move(changes)},
          {"batches", decision.pace.batches},
          {"rate", {decision.pace.rate_begin, decision.pace.rate_end}},
          {"on", decision.classes},
          {"origin", ToString(decision.origin)},
          {"reason", decision.reason},
          {"expected", std::move(expected)},
          {"outcome", OutcomeObject(decision)},
          {"finalists", decision.num_finalists},
          {"place", decision.is_place}};
}

void PrintEpisodes(const std::string& study, const Episodes& episodes, bool json) {
  int last = -1;
  int num_episodes = 0;
  for (const Decision& decision : episodes.decisions) {
    const bool belongs =
        decision.kind == Decision::Kind::kTrial || decision.kind == Decision::Kind::kAdvance;
    if (belongs && decision.episode != last) {
      last = decision.episode;
      ++num_episodes;
      if (!json) std::printf("episode %d\n", last + 1);
    }
    if (json) {
      PrintJson(DecisionLine(decision));
    } else {
      std::printf("  %s\n", DescribeDecision(decision).c_str());
    }
  }
  const std::size_t num_decisions = episodes.decisions.size();
  if (json) {
    PrintJson({{"type", "result"},
               {"study", study},
               {"decisions", num_decisions},
               {"episodes", num_episodes}});
  } else {
    std::printf("%s: %s in %s\n", study.c_str(),
                Counted(static_cast<std::int64_t>(num_decisions), "decision").c_str(),
                Counted(num_episodes, "episode").c_str());
  }
}

}  // namespace bitpilot

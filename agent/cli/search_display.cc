#include "agent/cli/search_display.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/formatted.h"
#include "agent/cli/terminal.h"
#include "policies/class_objective.h"
#include "policies/reward.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;
using std::chrono::steady_clock;

constexpr int kBarWidth = 24;
constexpr auto kLineInterval = std::chrono::seconds(5);  // between plain progress lines

std::string Bar(int done, int total) {
  const int filled = total > 0 ? std::clamp(done * kBarWidth / total, 0, kBarWidth) : 0;
  return "[" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(kBarWidth - filled), '.') + "]";
}

// `done` of `total` items took `elapsed_s`.
std::string TimeLeft(int done, int total, double elapsed_s) {
  if (done <= 0 || total <= done) return {};
  const int left_s = static_cast<int>(std::lround(elapsed_s / done * (total - done)));
  return Formatted("%.1f s each, %d:%02d left", elapsed_s / done, left_s / 60, left_s % 60);
}

}  // namespace

SearchDisplay::SearchDisplay(bool json) : json_(json), terminal_(isatty(STDERR_FILENO) != 0) {}

SearchDisplay::~SearchDisplay() { EndLine(); }

void SearchDisplay::EndLine() {
  if (line_open_) std::fputc('\n', stderr);
  line_open_ = false;
}

void SearchDisplay::OnPhase(const std::string& name, int total) {
  EndLine();
  total_ = total;
  first_step_ = -1;
  phase_start_ = last_line_ = steady_clock::now();
  std::fprintf(stderr, "%s\n", name.c_str());
  if (json_) Print({{"type", "phase"}, {"name", name}, {"total", total}});
}

void SearchDisplay::OnProgress(int done, const std::string& note) {
  const auto now = steady_clock::now();
  if (!terminal_ && done < total_ && now - last_line_ < kLineInterval) return;
  last_line_ = now;
  Show(done, note);
}

void SearchDisplay::Show(int done, const std::string& note) {
  const double elapsed_s =
      std::chrono::duration<double>(steady_clock::now() - phase_start_).count();
  const int before = std::max(first_step_, 0);
  // A phase of unknown length has no bar.
  std::string line = total_ > 0 ? "  " + Bar(done, total_) + Formatted(" %d/%d ", done, total_)
                                : std::string("  ");
  const std::string left = TimeLeft(done - before, total_ - before, elapsed_s);
  line += (left.empty() ? "" : " " + left + "  ") + note;
  if (terminal_) {
    // A line that wraps would stay when the next one replaces it.
    line = OneLine(line, TerminalColumns(STDERR_FILENO) - 1);
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    line_open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", OneLine(line, line.size()).c_str());
  }
  std::fflush(stderr);
}

void SearchDisplay::Print(const nlohmann::json& line) {
  // Both streams may end on one terminal.
  if (isatty(STDOUT_FILENO) != 0) EndLine();
  PrintJson(line);
}

// What each class answered, the board that did among it.
static Json ClassesArray(const TransitionEvent& answer) {
  Json classes = Json::array();
  for (const ClassOutcome& outcome : answer.classes) {
    Json one = {{"on", outcome.on},
                {"board", outcome.board.empty() ? Json(nullptr) : Json(outcome.board)},
                {"board_seconds", outcome.board_seconds},
                {"latency_ratio", nullptr}};
    if (const auto* measured = std::get_if<Measured>(&outcome.result)) {
      one["latency_ratio"] = measured->ratio;
    } else if (const auto* away = std::get_if<BoardUnavailable>(&outcome.result)) {
      if (away->predicted_ratio) one["predicted_latency_ratio"] = *away->predicted_ratio;
    }
    classes.push_back(std::move(one));
  }
  return classes;
}

// The board whose latency the step's is: of several classes that of the objective's, or the slowest's.
static Json BoardOf(const SearchProblem& problem, const TransitionEvent& answer) {
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

// A step as scripts read it; `step` objects of `bitpilot search --json`.
static Json StepLine(const SearchProblem& problem, const ProposalEvent& proposal,
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
               {"classes", ClassesArray(answer)},
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
    line["latency_ns"] = *transition.latency_ns;
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

// What came of a trial, for people.
static std::string Outcome(const SearchProblem& problem, const TransitionEvent& answer) {
  std::string text = "training diverged";
  if (answer.score) {
    const ExcessLoss charge = ChargeOf(problem.anchor, *answer.score, answer.at.depth);
    text = Formatted("loss %.3f (charged %+.3f)", answer.score->loss, charge.mean);
  }
  if (answer.transition.latency_ns) {
    text += Formatted(", %.3fx", *answer.transition.latency_ns / problem.uniform8.latency_ns);
  } else if (!answer.classes.empty()) {  // otherwise no board was asked
    text += ", not measured";
    for (const ClassOutcome& outcome : answer.classes) {
      const auto* away = std::get_if<BoardUnavailable>(&outcome.result);
      if (away == nullptr || !away->predicted_ratio) continue;
      text += Formatted(", predicted %.3fx (no board)", *away->predicted_ratio);
    }
  }
  return text;
}

void SearchDisplay::OnStep(const SearchProblem& problem, const ProposalEvent& proposal,
                           const TransitionEvent& answer, double hypervolume) {
  if (first_step_ < 0) first_step_ = shown_steps_ = proposal.step;
  // Answers come in another order than proposals: the bar goes forward only.
  shown_steps_ = std::max(shown_steps_, proposal.step + 1);
  // What is prose comes last: a narrow terminal cuts it off.
  Show(shown_steps_, Outcome(problem, answer) + Formatted("  hypervolume %.4f  (", hypervolume) +
                         proposal.reason + ")");
  if (json_) Print(StepLine(problem, proposal, answer, hypervolume));
}

void SearchDisplay::OnNotice(const std::string& text) {
  EndLine();
  std::fprintf(stderr, "note: %s\n", text.c_str());
  if (json_) Print({{"type", "notice"}, {"text", text}});
}

}  // namespace bitpilot

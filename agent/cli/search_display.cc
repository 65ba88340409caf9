#include "agent/cli/search_display.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/step_line.h"
#include "agent/cli/terminal.h"
#include "agent/study/formatted.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

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

void SearchDisplay::OnStep(const SearchProblem& problem, const ProposalEvent& proposal,
                           const TransitionEvent& answer, double hypervolume) {
  if (first_step_ < 0) first_step_ = shown_steps_ = std::min(proposal.step, total_);
  if (answer.transition.status == TransitionStatus::kUnavailable) ++unmeasured_steps_;
  // Answers come in another order than proposals: the bar goes forward only. Who resumes does not know how
  // many steps before measured nothing.
  shown_steps_ = std::max(shown_steps_, std::min(proposal.step + 1 - unmeasured_steps_, total_));
  // What is prose comes last: a narrow terminal cuts it off.
  Show(shown_steps_, DescribeStep(problem, answer) +
                         Formatted("  hypervolume %.4f  (", hypervolume) + proposal.reason + ")");
  if (json_) Print(StepLine(problem, proposal, answer, hypervolume));
}

void SearchDisplay::OnNotice(const std::string& text) {
  EndLine();
  std::fprintf(stderr, "note: %s\n", WithoutControls(text).c_str());
  if (json_) Print({{"type", "notice"}, {"text", text}});
}

void SearchDisplay::OnDetail(const std::string& text) {
  if (json_) Print({{"type", "notice"}, {"text", text}});
}

}  // namespace bitpilot

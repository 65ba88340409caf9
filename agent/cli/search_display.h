// How a running search looks: a bar on a terminal, plain lines elsewhere, JSON objects with --json.
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/results/search_observer.h"

namespace bitpilot {

// Writes progress to standard error, so that standard output stays for results.
class SearchDisplay final : public SearchObserver {
 public:
  explicit SearchDisplay(bool json);
  ~SearchDisplay() override;

  void OnPhase(const std::string& name, int total) override;
  void OnProgress(int done, const std::string& note) override;
  void OnStep(const SearchProblem& problem, const ProposalEvent& proposal,
              const TransitionEvent& answer, double hypervolume) override;
  void OnNotice(const std::string& text) override;
  void OnDetail(const std::string& text) override;

 private:
  // Replaces the bar's line on a terminal; prints a line of its own elsewhere.
  void Show(int done, const std::string& note);
  void EndLine();
  // A line of --json.
  void Print(const nlohmann::json& line);

  bool json_;
  bool terminal_;
  bool line_open_ = false;
  int total_ = 0;
  int first_step_ = -1;       // a resumed study had those before it, in no time
  int unmeasured_steps_ = 0;  // for want of a board: what they were to cost is left
  int shown_steps_ = 0;       // by the bar
  std::chrono::steady_clock::time_point phase_start_;
  std::chrono::steady_clock::time_point last_line_;
};

}  // namespace bitpilot

// RepeatBudget: how long a search may measure again what was NOISY.
//
// Where other work passes by, a second measurement is clean. Where it stays, the second one is as
// doubtful as the first, and all candidates measured three times over, in ever longer windows, take
// seven times as long. So repeats get a share of the time that the search measures anyway: a quarter,
// and the length of one repeat beyond that. Many steps may be under way at once: a repeat counts from when
// it was decided, or each of them would find the share unused.
//
// A figure of logged device times alone, so that every replay decides as the search did.
#pragma once

#include <map>
#include <string>

namespace bitpilot {

class RepeatBudget {
 public:
  // What is measured whether it is NOISY or not.
  void TookFirst(double seconds) { first_seconds_ += seconds; }
  void TookRepeat(double seconds) { repeat_seconds_ += seconds; }

  // A repeat of this step begins, and counts as so long until it ends; one a step.
  void BeganRepeat(const std::string& step_id, double expected_seconds) {
    under_way_[step_id] = expected_seconds;
  }
  // It was measured, and TookRepeat() says how long; or it never will be.
  void EndedRepeat(const std::string& step_id) { under_way_.erase(step_id); }

  // True while another repeat may begin. How long it takes is known afterwards only.
  bool IsLeft() const {
    double seconds = repeat_seconds_;
    for (const auto& [step_id, expected] : under_way_) seconds += expected;
    return seconds <= kShare * first_seconds_;
  }

  double first_seconds() const { return first_seconds_; }
  double repeat_seconds() const { return repeat_seconds_; }

 private:
  static constexpr double kShare = 0.25;

  double first_seconds_ = 0.0;
  double repeat_seconds_ = 0.0;
  std::map<std::string, double> under_way_;  // seconds, by step
};

}  // namespace bitpilot

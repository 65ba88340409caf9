// RepeatBudget: how long a search may measure again what was NOISY.
//
// Where other work passes by, a second measurement is clean. Where it stays, the second one is as
// doubtful as the first, and all candidates measured three times over, in ever longer windows, take
// seven times as long. So repeats get a share of the time that the search measures anyway: a quarter,
// and the length of one repeat beyond that.
//
// A figure of logged device times alone, so that every replay decides as the search did.
#pragma once

namespace bitpilot {

class RepeatBudget {
 public:
  // What is measured whether it is NOISY or not.
  void TookFirst(double seconds) { first_seconds_ += seconds; }
  void TookRepeat(double seconds) { repeat_seconds_ += seconds; }

  // True while another repeat may begin. How long it takes is known afterwards only.
  bool IsLeft() const { return repeat_seconds_ <= kShare * first_seconds_; }

  double first_seconds() const { return first_seconds_; }
  double repeat_seconds() const { return repeat_seconds_; }

 private:
  static constexpr double kShare = 0.25;

  double first_seconds_ = 0.0;
  double repeat_seconds_ = 0.0;
};

}  // namespace bitpilot

#include "agent/fleet/measure_retries.h"

#include <algorithm>
#include <utility>

#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

enum class Owner { kCandidate, kBoard };

// What a failure is worth.
struct Rule {
  int retries;
  Owner owner;  // of what remains
  Attempt again;
};

// None: the answer counts, or the board waits until it is fit.
std::optional<Rule> RuleFor(MeasureStatus status) {
  switch (status) {
    case MeasureStatus::kCrash:
    case MeasureStatus::kOutOfMemory:
      return Rule{1, Owner::kCandidate, Attempt::kAnother};
    case MeasureStatus::kTimedOut:
      return Rule{2, Owner::kCandidate, Attempt::kAnother};
    case MeasureStatus::kProtocolError:
      return Rule{1, Owner::kBoard, Attempt::kAnother};
    case MeasureStatus::kLost:
      return Rule{2, Owner::kBoard, Attempt::kSame};
    case MeasureStatus::kCancelled:
      return Rule{2, Owner::kBoard, Attempt::kAnother};
    default:
      return std::nullopt;
  }
}

bool IsUnfit(MeasureStatus status) {
  return status == MeasureStatus::kThermalAbort || status == MeasureStatus::kPowerAbort;
}

std::string DescribeFailure(const Measurement& measurement) {
  return std::string(ToString(measurement.status)) +
         (measurement.detail.empty() ? "" : ": " + measurement.detail);
}

RetryVerdict GiveUp(const std::string& board_name, const Measurement& last, const std::string& what,
                    OtherBoards others) {
  RetryVerdict verdict;
  verdict.what =
      others == OtherBoards::kNone ? RetryVerdict::What::kGiveUp : RetryVerdict::What::kLeave;
  const std::string why = "board '" + board_name + "' " + what +
                          "; the last: " + DescribeFailure(last) +
                          ". That is no result of what was measured: ";
  verdict.failure = {StatusCode::kUnavailable, why + "see to the board, then go on"};
  if (verdict.what == RetryVerdict::What::kLeave) verdict.notice = why + "another board is asked";
  return verdict;
}

RetryVerdict Again(RetryVerdict::What what, Attempt again) {
  RetryVerdict verdict;
  verdict.what = what;
  verdict.again = again;
  return verdict;
}

}  // namespace

RetryVerdict MeasureRetries::After(const Measurement& measurement, const std::string& board_name,
                                   OtherBoards others, Instant now) {
  const MeasureStatus status = measurement.status;
  if (IsUnfit(status)) return WhenFit(measurement, board_name, others, now);
  if (status == MeasureStatus::kWrongOutput) {
    const bool is_first = ++failures_[{"", status}] == 1;
    if (!is_first || others != OtherBoards::kNow) return {};
    return Again(RetryVerdict::What::kElsewhere, Attempt::kAnother);
  }
  const std::optional<Rule> rule = RuleFor(status);
  if (!rule) return {};
  const int failed =
      ++failures_[{rule->owner == Owner::kBoard ? board_name : std::string(), status}];
  if (failed <= rule->retries) return Again(RetryVerdict::What::kAgain, rule->again);
  if (rule->owner == Owner::kCandidate) return {};
  return GiveUp(board_name, measurement, "failed to measure " + Counted(failed, "time"), others);
}

RetryVerdict MeasureRetries::WhenFit(const Measurement& measurement, const std::string& board_name,
                                     OtherBoards others, Instant now) {
  const std::string minutes = std::to_string(options_.unfit_wait.count() / 60'000) + " min";
  RetryVerdict verdict = Again(RetryVerdict::What::kWhenFit, Attempt::kAnother);
  if (!unfit_since_) {
    unfit_since_ = now;
    verdict.notice = "board '" + board_name + "' is not fit to measure (" +
                     DescribeFailure(measurement) + "): asking again for up to " + minutes;
  }
  const std::chrono::milliseconds left = *unfit_since_ + options_.unfit_wait - now;
  if (left.count() <= 0) {
    unfit_since_.reset();
    return GiveUp(board_name, measurement, "was not fit to measure for " + minutes, others);
  }
  verdict.pause = std::min(options_.unfit_pause, left);
  return verdict;
}

}  // namespace bitpilot

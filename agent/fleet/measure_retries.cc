#include "agent/fleet/measure_retries.h"

#include <algorithm>
#include <map>
#include <optional>

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

std::string Describe(const Measurement& measurement) {
  return std::string(ToString(measurement.status)) +
         (measurement.detail.empty() ? "" : ": " + measurement.detail);
}

Status Unavailable(const RetryOptions& options, const Measurement& last, const std::string& what) {
  return {StatusCode::kUnavailable, "board '" + options.board_name + "' " + what +
                                        "; the last: " + Describe(last) +
                                        ". That is no result of what was measured: see to the "
                                        "board, then go on"};
}

}  // namespace

Result<Measurement> MeasureWithRetries(const std::function<Result<Measurement>(Attempt)>& measure,
                                       const RetryOptions& options) {
  std::map<MeasureStatus, int> failures;
  std::optional<Instant> unfit_since;
  Attempt attempt = Attempt::kFirst;
  for (;;) {
    Result<Measurement> measurement = measure(attempt);
    if (!measurement.ok()) return measurement;
    if (IsUnfit(measurement->status)) {
      if (!unfit_since) {
        unfit_since = options.now();
        if (options.notice) {
          options.notice("board '" + options.board_name + "' is not fit to measure (" +
                         Describe(*measurement) + "): asking again for up to " +
                         std::to_string(options.unfit_wait.count() / 60'000) + " min");
        }
      }
      const std::chrono::milliseconds left = *unfit_since + options.unfit_wait - options.now();
      if (left.count() <= 0) {
        return Unavailable(options, *measurement,
                           "was not fit to measure for " +
                               std::to_string(options.unfit_wait.count() / 60'000) + " min");
      }
      const Status paused = options.pause(std::min(options.unfit_pause, left));
      if (!paused.ok()) return paused;
      attempt = Attempt::kAnother;
      continue;
    }
    const std::optional<Rule> rule = RuleFor(measurement->status);
    if (!rule) return measurement;
    const int failed = ++failures[measurement->status];
    if (failed > rule->retries) {
      if (rule->owner == Owner::kCandidate) return measurement;
      return Unavailable(options, *measurement, "failed to measure " + Counted(failed, "time"));
    }
    attempt = rule->again;
  }
}

}  // namespace bitpilot

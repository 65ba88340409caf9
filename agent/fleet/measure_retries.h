// Measure retries: what becomes of a measurement that failed. A board that is lost, hot or short of
// power says nothing about the candidate, so it never ends as a result:
//
//   OK, NOISY                            the answer. Who asked measures again what is NOISY, with
//                                        longer windows (agent/session/step_measurement.h) or in
//                                        more rounds (agent/results/repeated_comparison.h).
//   UNSUPPORTED, REJECTED, WRONG_OUTPUT  the candidate's, at once.
//   CRASH, OUT_OF_MEMORY                 once more; again: the candidate's.
//   TIMED_OUT                            twice more; again: the candidate's (its worker hangs).
//   LOST, CANCELLED                      twice more; again: the board's.
//   PROTOCOL_ERROR                       once more; again: the board's.
//   THERMAL_ABORT, POWER_ABORT           again until the board is fit, as long as
//                                        RetryOptions::unfit_wait allows; then the board's.
//
// The candidate's failures are a Measurement with that status, which a search learns from. The
// board's are a Status kUnavailable, which ends the work and leaves the step to be measured later.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "agent/fleet/board.h"
#include "agent/fleet/client_core.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct RetryOptions {
  std::string board_name;  // for messages
  // How long a board may be unfit to measure, all waits of one measurement together. Each attempt
  // waits at the board's own gate, too.
  std::chrono::milliseconds unfit_wait{1'800'000};
  std::chrono::milliseconds unfit_pause{5'000};
  std::function<Instant()> now;
  // Lets time pass; a failure ends the wait (kAborted: the caller stopped).
  std::function<Status(std::chrono::milliseconds)> pause;
  std::function<void(const std::string&)> notice;  // for whoever waits; may be empty
};

enum class Attempt {
  kFirst,
  kSame,     // under the same id: the board may have the result, or still work
  kAnother,  // under a new id: the board executes each once
};

// Calls `measure` until its answer counts.
//
// Errors:
//   kUnavailable  the board's failure, with its status and detail and what to do.
//   Those of `measure` and of options.pause.
Result<Measurement> MeasureWithRetries(const std::function<Result<Measurement>(Attempt)>& measure,
                                       const RetryOptions& options);

}  // namespace bitpilot

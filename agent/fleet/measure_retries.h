// Measure retries: what becomes of a measurement that failed. A board that is lost, hot or short of
// power says nothing about the candidate, so it never ends as a result:
//
//   OK, NOISY                the answer. Who asked measures again what is NOISY, with longer windows
//                            (agent/session/step_measurement.h) or in more rounds
//                            (agent/results/repeated_comparison.h).
//   UNSUPPORTED, REJECTED    the candidate's, at once.
//   WRONG_OUTPUT             once more, on another board if one of the class can measure now; again,
//                            or if there is none: the answer, which says that a kernel is wrong.
//   CRASH, OUT_OF_MEMORY     once more; again: the candidate's.
//   TIMED_OUT                twice more; again: the candidate's (its worker hangs).
//   LOST, CANCELLED          twice more on a board; again: the board's.
//   PROTOCOL_ERROR           once more on a board; again: the board's.
//   THERMAL_ABORT, POWER_ABORT   again until a board is fit, as long as RetryOptions::unfit_wait
//                            allows; then the board's.
//
// The candidate's failures are a Measurement with that status, which a search learns from. After the
// board's another board of the class is asked. Where none is left they are a Status kUnavailable, which
// ends the work and leaves the step to be measured later.
//
// Pure: no clock, no waiting. FleetCore carries out what the verdicts say.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "agent/fleet/board.h"
#include "agent/fleet/client_core.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct RetryOptions {
  // How long boards may be unfit to measure, all waits of one measurement together, and anew after a
  // board was given up. Each attempt waits at the board's own gate, too.
  std::chrono::milliseconds unfit_wait{1'800'000};
  std::chrono::milliseconds unfit_pause{5'000};
};

enum class Attempt {
  kSame,     // under the same id, on the same board, which may have the result or still work
  kAnother,  // under a new id: a board executes each once
};

struct RetryVerdict {
  enum class What {
    kAnswer,     // the measurement is the job's result
    kAgain,      // at once
    kElsewhere,  // at once, on another board of the class
    kLeave,      // not on this board: on another one, as soon as one can; `failure` says why
    kWhenFit,    // on this board not before `pause` has passed
    kGiveUp,     // `failure` is the job's result
  };
  What what = What::kAnswer;
  Attempt again = Attempt::kAnother;
  std::chrono::milliseconds pause{0};
  Status failure;
  std::string notice;  // for whoever waits; empty if there is nothing new to say
};

// The other boards of the class, of those that did not fail at this measurement.
enum class OtherBoards {
  kNone,
  kLater,  // none can measure it now, but some may come back
  kNow,
};

// The attempts of one measurement.
class MeasureRetries {
 public:
  explicit MeasureRetries(RetryOptions options = {}) : options_(options) {}

  // board_name: as no other board of the class is called.
  RetryVerdict After(const Measurement& measurement, const std::string& board_name,
                     OtherBoards others, Instant now);

 private:
  RetryVerdict WhenFit(const Measurement& measurement, const std::string& board_name,
                       OtherBoards others, Instant now);

  RetryOptions options_;
  // By the board whose failure it is; the candidate's have none.
  std::map<std::pair<std::string, MeasureStatus>, int> failures_;
  std::optional<Instant> unfit_since_;
};

}  // namespace bitpilot

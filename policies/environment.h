// Environment: bit-width allocation as a Markov decision process, while the network trains.
//
//   state       per-layer features and tables (SearchProblem), the last transition, what is left of
//               the budget
//   action      a Proposal: one width per variable
//   transition  train `batches_per_step` mini-batches at the proposal's widths, then read the
//               held-out loss and the board's measurement
//
// Laws (tests/policies/environment_conformance.h checks every one):
//   - problem() never changes.
//   - Step() returns a transition whose choice equals the proposal's.
//   - A transition holds a latency exactly if its status is kMeasured; a failed measurement is
//     never a number, nor is a training that diverged.
//   - An energy ratio is present at most if there is a latency; one of a model never without a
//     model board.
//   - measurements_left() falls by one with every Step() and never below zero.
//   - With the same seed and proposals, losses and accuracies repeat exactly. Latencies repeat only
//     where the implementation is a model or a log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "policies/origin.h"
#include "policies/search_problem.h"

namespace bitpilot {

struct Proposal {
  Choice choice;
  Origin origin = Origin::kUnknown;
  std::string
      reason;  // why, for people: "ilp at 0.70x", "neighbour of best: conv2d_3 weights 4 -> 3"
};

enum class TransitionStatus : std::uint8_t {
  kMeasured = 0,  // latency_ns is present
  kRejected = 1,  // filtered before measuring (size budget, unsupported by the board)
  kFailed = 2,    // the board tried and failed; a property of the candidate, final
  // Training at these widths left something that is no finite number: nothing is known of the
  // candidate but that, and its weights were dropped. The next step goes on from those before it.
  kDiverged = 3,
};

struct Transition {
  Choice choice;
  TransitionStatus status = TransitionStatus::kFailed;
  // Median; present exactly if kMeasured. On the scale of problem().uniform8: an environment whose
  // board drifts divides by uniform 8 bit of the same rounds and multiplies by that reference.
  std::optional<double> latency_ns = std::nullopt;
  double latency_low_ns = 0.0;  // exact interval of the median; 0 unless measured
  double latency_high_ns = 0.0;
  // Gross energy over that of uniform 8 bit in the same rounds, as one sensor saw both, with the
  // half-width of its 95 % interval; absent unless measured.
  std::optional<double> energy_ratio = std::nullopt;
  double energy_ratio_uncertainty = 0.0;
  // The same of what a model board's table claims. Never in energy_ratio.
  std::optional<double> model_energy_ratio = std::nullopt;
  // Finite; 0 where kRejected or kDiverged, and then without meaning.
  double loss = 0.0;      // held-out loss at these widths, nats
  double accuracy = 0.0;  // validation, in [0, 1]
  std::int64_t weight_bytes = 0;
};

class Environment {
 public:
  virtual ~Environment() = default;

  virtual const SearchProblem& problem() const = 0;

  // Board measurements that may still be made.
  virtual int measurements_left() const = 0;

  // Trains, evaluates and measures one proposal.
  //
  // Returns nullopt if the run was interrupted (user, all boards gone): the step did not happen.
  //
  // REQUIRES: measurements_left() > 0; proposal.choice is legal.
  virtual std::optional<Transition> Step(const Proposal& proposal) = 0;
};

}  // namespace bitpilot

// Transition: one trial, as the models of policies see it: anchored (policies/reward.h), and on the
// scale of one reference, so that early and late ones can be compared.
#pragma once

#include <cstdint>
#include <optional>

#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

enum class TransitionStatus : std::uint8_t {
  kMeasured = 0,     // on the classes that the problem's objective needs: latency_ns is present
  kRejected = 1,     // by a budget of weight bytes: only in studies of an older bitpilot
  kFailed = 2,       // CandidateFailed, and no figure that the objective takes
  kDiverged = 3,     // training left something that is no finite number
  kUnavailable = 4,  // no board answered
  kUnmeasured = 5,   // no board was asked
};

struct Transition {
  Choice choice;
  TransitionStatus status = TransitionStatus::kFailed;
  // Median; present exactly if kMeasured. On the scale of problem().uniform8: the ratio to uniform 8
  // bit of the same rounds, times that reference; of several classes what the problem's objective makes of
  // them (policies/class_objective.h).
  std::optional<double> latency_ns = std::nullopt;
  double latency_low_ns = 0.0;  // exact interval of the median; 0 unless measured
  double latency_high_ns = 0.0;
  // LatencyDeviation() on the same scale; 0 unless measured.
  double latency_deviation_ns = 0.0;
  // Gross energy over that of uniform 8 bit in the same rounds, as one sensor saw both, with the
  // half-width of its 95 % interval; absent unless measured.
  std::optional<double> energy_ratio = std::nullopt;
  double energy_ratio_uncertainty = 0.0;
  // The same of what a model board's table claims. Never in energy_ratio.
  std::optional<double> model_energy_ratio = std::nullopt;
  // Finite; 0 where kDiverged, and then without meaning. Anchored: what uniform 8 bit of
  // AnchoredReference() would be compared with, nats and share of the validation images.
  double loss = 0.0;
  double accuracy = 0.0;
  // Standard error of that loss by the images it was read on, nats (policies/reward.h); 0 where kDiverged.
  double loss_deviation = 0.0;
  std::int64_t weight_bytes = 0;
};

// Standard deviation of a measured ratio of latencies, by its interval; twice that where the board found
// its windows disturbed, as what disturbs leans to one side.
double LatencyDeviation(const Measured& measured);

// The same of an energy ratio, by the half-width of its 95 % interval.
double EnergyDeviation(double uncertainty);

// No class measured it, nor does a prediction stand for one: nobody but the policy counts how often.
bool IsWithoutAnyBoard(const TrialOutcome& outcome);

// A pure function of what was submitted and observed.
Transition ToTransition(const SearchProblem& problem, const Trial& trial,
                        const TrialOutcome& outcome);

}  // namespace bitpilot

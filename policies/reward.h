// Reward: what an observation is worth, as a pure function of raw facts.
//
// Weights get better while a search trains, so a loss that was read late looks better than one that
// was read early, whatever the widths. Losses and errors are therefore judged as differences to the
// anchor: the twin, a network at uniform 8 bit that trained alone, from the same start, for as many
// mini-batches, at rates that fell by the same schedule.
//
// What training at other widths did to these weights is hardly to be charged to a candidate: its final
// training takes most of that back. Uniform 8 bit on the same weights has it, too, and takes it out. What
// training at the candidate's own widths did stays, and there 8 bit on the same weights would hide what
// they cost: only the twin shows it. So a candidate's baseline is uniform 8 bit on the same weights, but
// for a share h the twin: the share by which mini-batches at its own widths outnumber those at others, and
// kStays of the rest (experiments/anchor compares this charge with what is left after the final training,
// where the excess over the twin alone is .2 nats too much for 8 bit on weights that trained at 2).
//
//   share of twin   h = own + kStays (1 - own)       own: TrainedWidths::OwnShare()
//   baseline        B = (1 - h) L8 + h A(d)          d: mini-batches that the scored weights have had
//                   F = (1 - h) E8 + h E(d)         L8, E8: uniform 8 bit on the same weights
//   charge          x = loss - B
//   anchored error  e = error - F + E(T)            T: the budget that the search began with
//   utility         u = - x / A(0) - ratio [- energy ratio]
//                       - kAccuracyPenalty max(0, min_accuracy - (1 - e))^2
//                       - kBudgetPenalty (max(0, ratio / max_latency - 1) + the same of energy)
//
// Where a search is extended, its twin trains on as long, so that d never goes beyond it; T stays, and
// with it every figure of the candidates before.
//
// A is the twin's loss, E its error, both read at a few points and linear between; ratios are to
// uniform 8 bit. Uniform 8 bit itself has u = -1 (-2 with energy). Weights that never trained are the
// twin's at the start: h = 1, as where 8 bit has no finite loss on the same weights, and where no final
// training takes anything back (--final-batches 0). kStays was measured after 50 mini-batches of one; after
// the 20 that a short search gives, more stays.
//
// The anchor knows how many mini-batches weights have had, not at which rates. Rates fall with all that a
// search has spent (policies/pace.h), so both are the same only along one chain of places from the start.
// What other rates do to the loss is charged with the share h (experiments/anchor measures it).
//
// Sources: the quadratic penalty of accuracy, Kimhi, Rozen, Mendelson and Baskin, "AMED: Automatic
// Mixed-Precision Quantization for Edge Devices", Mathematics 12(12), 2024, section 4.1.
#pragma once

#include <optional>
#include <vector>

#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

inline constexpr double kAccuracyPenalty = 100.0;
inline constexpr double kBudgetPenalty = 10.0;
// Of what training at other widths did to the loss, after the final training (experiments/anchor).
inline constexpr double kStays = 0.15;

// The twin's loss and error after `depth` mini-batches; beyond the last reading the last one's.
//
// REQUIRES: the anchor has a reading.
double AnchorLoss(const Anchor& anchor, double depth);
double AnchorError(const Anchor& anchor, double depth);
// Standard error of the anchor's loss there.
double AnchorLossError(const Anchor& anchor, double depth);

// The reading that anchored figures are given at: the twin's after the budget that the search began with.
//
// REQUIRES: the anchor has a reading.
const AnchorReading& ReferenceReading(const Anchor& anchor);

// Uniform 8 bit as all anchored figures see it: loss and accuracy of that reading.
Reference AnchoredReference(const SearchProblem& problem);

// A reading, in nats above the twin alone, with its standard error: Scored::excess_error. Where that is
// not known, of both readings as if they were of different images: at least as wide. For models of how
// weights adapt (policies/loss_belief.h), in which what training did to other widths is a state.
struct ExcessLoss {
  double mean = 0.0;
  double error = 0.0;
};
ExcessLoss ExcessOf(const Anchor& anchor, const Scored& score, int depth);

// The share h of the twin in a baseline.
double TwinShare(double own_share);

// What the reward charges: a reading, in nats above its baseline.
ExcessLoss ChargeOf(const Anchor& anchor, const Scored& score, int depth);

// In [0, 1].
double AnchoredError(const Anchor& anchor, const Scored& score, int depth);

// What utility is made of; anchored.
struct UtilityTerms {
  double excess_loss = 0.0;  // the charge, nats
  double accuracy = 0.0;     // 1 - anchored error
  double latency_ratio = 0.0;
  std::optional<double> energy_ratio = std::nullopt;  // where energy is an objective
};
double UtilityOf(const SearchProblem& problem, const UtilityTerms& terms);

// Utility of a candidate on one class.
//
// Returns nullopt if the class did not measure it, its training diverged, or energy is an objective
// and has no figure.
std::optional<double> Utility(const SearchProblem& problem, const TrialOutcome& outcome,
                              const ClassId& on);

// One number of all classes, by the problem's objective: the least, the mean of those that measured, or
// one class's.
std::optional<double> JointUtility(const SearchProblem& problem, const TrialOutcome& outcome);

}  // namespace bitpilot

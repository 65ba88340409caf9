// LossBelief: what a search knows of the loss, at any widths, after any training.
//
// The excess loss x over 8 bit trained alone for as long is modelled as
//
//   x(b, a) = sum over variables i of   theta_i[b_i] + omega_i[b_i] (1 - a_i[b_i])
//
// theta stays however long the widths are trained, omega goes as the weights adapt (a:
// policies/adaptation.h). Both are unknown and positive, and so is the speed of adaptation, tau. For
// each tau of a grid there is one belief over theta and omega, fitted to all readings
// (policies/lognormal_belief.h); the taus are weighed by how likely they make the readings. Nothing is
// forgotten: time is in the state.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "policies/adaptation.h"
#include "policies/lognormal_belief.h"
#include "policies/random_stream.h"
#include "policies/search_problem.h"
#include "policies/width_index.h"

namespace bitpilot {

// Mini-batches in which the distance to full adaptation falls to 1/e: one belief for each. They are near
// to each other: were they twice each other, what is missing after 40 mini-batches would be .20 by one and
// .45 by the next, a difference that is laid to the losses instead.
inline constexpr std::array<double, 12> kAdaptationTaus = {6.0,  9.0,  13.0,  19.0,  27.0,  40.0,
                                                           58.0, 84.0, 120.0, 170.0, 250.0, 360.0};

// A place in the tree of trainings, as each tau sees it.
using TrainedState = std::array<Adaptation, kAdaptationTaus.size()>;

// A loss, in nats above 8 bit trained alone, with the standard deviation of what is not known.
struct PredictedLoss {
  double mean = 0.0;
  double standard_deviation = 0.0;
};

class LossBelief {
 public:
  // Before anything was read: the median of theta is .3, of omega .7 of the sensitivities that were
  // probed before training, and omega .2 nats more over all variables; theta may well be 2.2, omega 1.6
  // times more or less.
  //
  // States refer to index(), which copies share: a copy may take what the original made.
  explicit LossBelief(const std::vector<DecisionVariable>& variables);

  const WidthIndex& index() const { return *index_; }

  // Of the float network's weights.
  TrainedState Start() const;
  // `batches`: each counted by its share of the learning rate.
  TrainedState After(const TrainedState& state, const Choice& choice, double batches) const;

  // Takes in that weights in `state` have `excess_loss` at `choice`, read with the standard error
  // `loss_error`: each reading once. The same widths on the same weights give the same figures again
  // (policies/environment.h), which says nothing new. REQUIRES: loss_error > 0.
  void Observe(const TrainedState& state, const Choice& choice, double excess_loss,
               double loss_error);

  // As if that had been read at its mean: what is expected stays, what is unsure shrinks.
  void Anticipate(const TrainedState& state, const Choice& choice, double loss_error);

  // Variance of a reading around what the model says, nats^2: of a reading with that standard error,
  // and of what an additive model of the loss cannot say. REQUIRES: loss_error > 0.
  static double ReadingVariance(double loss_error);

  // The deviation is the beliefs', times CalibrationOfDeviations().
  PredictedLoss Predict(const TrainedState& state, const Choice& choice) const;

  // How many times further from their means the readings so far were than their standard deviations
  // say, root mean square; late readings count more, and none at all is 1.
  double CalibrationOfDeviations() const;

  // Weights of the taus: positive, sum 1.
  std::array<double, kAdaptationTaus.size()> TauWeights() const;

  // What one tau believes, for planning. `tau`: its position in kAdaptationTaus.
  const LognormalBelief& Given(std::size_t tau) const { return beliefs_[tau]; }
  // The unknowns' factors in x(choice): theta's, then omega's.
  SparseFeatures Features(const Adaptation& adaptation, const Choice& choice) const;

 private:
  static constexpr double kCalibrationPrior = 4.0;  // readings

  PredictedLoss PredictUncalibrated(const TrainedState& state, const Choice& choice) const;

  std::shared_ptr<const WidthIndex> index_;
  std::vector<LognormalBelief> beliefs_;  // [taus]
  double surprises_ = kCalibrationPrior;  // sum of squares, in units of their variance
  double num_surprises_ = kCalibrationPrior;
};

}  // namespace bitpilot

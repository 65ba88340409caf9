// LossBelief: what a search knows of the loss, at any widths, after any training.
//
// The excess loss x over 8 bit trained alone for as long is modelled as
//
//   x(b, a) = sum over variables i of   theta_i[b_i] + omega_i[b_i] (1 - a_i[b_i])
//
// theta stays however long the widths are trained, omega goes as the weights adapt (a:
// policies/adaptation.h). Both are unknown, and so is the speed of adaptation, tau. For each tau of
// a grid there is one Gaussian over theta and omega, updated by every observation; the taus are
// weighed by how likely they made the observations. Nothing is forgotten: time is in the state.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "policies/adaptation.h"
#include "policies/gaussian_belief.h"
#include "policies/random_stream.h"
#include "policies/search_problem.h"
#include "policies/width_index.h"

namespace bitpilot {

// Mini-batches in which the distance to full adaptation falls to 1/e: one Gaussian for each.
// ResNet-8 at w2a4: excess 1.97, 1.08, .51, .40 nats after 0, 20, 100, 195 mini-batches.
inline constexpr std::array<double, 5> kAdaptationTaus = {12.0, 25.0, 50.0, 100.0, 200.0};

// A place in the tree of trainings, as each tau sees it.
using TrainedState = std::array<Adaptation, kAdaptationTaus.size()>;

// A loss, in nats above 8 bit trained alone, with the standard deviation of what is not known.
struct PredictedLoss {
  double mean = 0.0;
  double standard_deviation = 0.0;
};

class LossBelief {
 public:
  // Before anything was read: theta is about .3, omega about .7 of the sensitivities that were
  // probed before training, and omega .2 nats more over all variables.
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

  // The deviation is the Gaussians', times CalibrationOfDeviations().
  PredictedLoss Predict(const TrainedState& state, const Choice& choice) const;

  // How many times further from their means the readings so far were than their standard deviations
  // say, root mean square; late readings count more, and none at all is 1.
  double CalibrationOfDeviations() const;

  // Weights of the taus: positive, sum 1.
  std::array<double, kAdaptationTaus.size()> TauWeights() const;

  // What one tau believes, for planning. `tau`: its position in kAdaptationTaus.
  const GaussianBelief& Given(std::size_t tau) const { return gaussians_[tau]; }
  // The unknowns' factors in x(choice): theta's, then omega's.
  SparseFeatures Features(const Adaptation& adaptation, const Choice& choice) const;

 private:
  static constexpr double kCalibrationPrior = 4.0;  // readings

  PredictedLoss PredictUncalibrated(const TrainedState& state, const Choice& choice) const;

  std::shared_ptr<const WidthIndex> index_;
  std::vector<GaussianBelief> gaussians_;  // [taus]
  std::array<double, kAdaptationTaus.size()> log_evidence_{};
  double surprises_ = kCalibrationPrior;  // sum of squares, in units of their variance
  double num_surprises_ = kCalibrationPrior;
};

}  // namespace bitpilot

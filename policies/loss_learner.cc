#include "policies/loss_learner.h"

#include <cmath>

#include "policies/reward.h"

namespace bitpilot {
namespace {

// What training that diverged says of the loss at these widths.
constexpr double kDivergedExcess = 2.3;  // nats: guessing one of ten classes
constexpr double kDivergedError = 0.5;

}  // namespace

PredictedLoss PredictReading(const LossBelief& belief, const ReadingErrors& errors,
                             const TrainedState& state, const Choice& choice) {
  PredictedLoss predicted = belief.Predict(state, choice);
  const double error = errors.Expected(predicted.mean);
  predicted.standard_deviation =
      std::sqrt(predicted.standard_deviation * predicted.standard_deviation + error * error);
  return predicted;
}

LossLearner::LossLearner(const SearchProblem& problem)
    : problem_(problem), belief_(problem.variables), places_(belief_) {}

bool LossLearner::Answered(const Trial& trial, const TrialOutcome& outcome) {
  const Choice& choice = trial.what.choice;
  if (!places_.Answered(outcome)) return false;
  if (outcome.score && std::isfinite(outcome.score->loss)) {
    const ExcessLoss excess = ExcessOf(problem_.anchor, *outcome.score, outcome.at.depth);
    belief_.Observe(places_.At({trial.id}), choice, excess.mean,
                    reading_errors_.Take(excess.mean, excess.error));
  } else {
    const TrainedState after =
        belief_.After(places_.At(trial.from), choice, TrainedPlaces::Counted(trial.train));
    belief_.Observe(after, choice, kDivergedExcess, kDivergedError);
  }
  return true;
}

}  // namespace bitpilot

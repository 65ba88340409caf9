#include "policies/amed_decision.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

#include "kernels/base/check.h"
#include "policies/choice_costs.h"
#include "policies/index.h"
#include "policies/loss_learner.h"
#include "policies/networks_left.h"
#include "policies/pace.h"
#include "policies/reward.h"
#include "policies/target_pool.h"
#include "policies/target_utility.h"

namespace bitpilot {
namespace {

// Points and weights of a standard normal number: what a measurement may say.
struct Node {
  double z;
  double weight;
};
constexpr Node kNodes[] = {
    {-1.7320508075688772, 1.0 / 6.0}, {0.0, 2.0 / 3.0}, {1.7320508075688772, 1.0 / 6.0}};

// A front's networks share the place that the search ends at: what each gets of the rest.
constexpr double kShareOfAFront = 0.25;

// Of what is left at the end, so many steps' mini-batches are trained at one choice of widths.
constexpr int kPartOfRest = 4;

// What the search would end with may take half of the targets; the others are there to be learned about.
constexpr std::size_t kOneInTargetsEnds = 2;

class Decider {
 public:
  Decider(const DecisionInput& input, RandomStream& random)
      : input_(input),
        problem_(input.problem),
        view_(input.view),
        costs_(input.problem, input.cost, input.view, input.surrogate, random),
        left_(LeftOf(input.view, input.options.train_while_searching, input.readings_left)) {
    measurements_left_ = NetworksLeftToMeasure(view_);
    // A final training may begin at the twin, which trained at 8 bits; the start has adapted to these already.
    if (problem_.final_batches > 0) left_.twin = StateAt(Place{});
    FindPlaces();
    FindTargets(random);
  }

  PlannedDecision Run() {
    PlannedDecision decision;
    const Lookahead lookahead(input_.belief, StateAt(latest_), targets_, left_, ErrorOfReadings(),
                              *utility_);
    double stopping = -std::numeric_limits<double>::infinity();
    for (const Place place : places_) {
      const double value = lookahead.ValueOfStopping(StateAt(place));
      if (value > stopping) {
        stopping = value;
        decision.best_place = place;
      }
    }
    figures_.value_of_stopping = stopping;
    figures_.value_of_staying = stopping;
    FindUnmeasured(lookahead, &decision);
    FindFinalists(lookahead, &decision);
    if (left_.readings > 0) {
      std::optional<PlannedStep> step = BestStep(lookahead);
      if (step && step->figures.value > stopping + input_.options.least_gain) {
        step->figures.value_of_staying = figures_.value_of_staying;
        decision.step = std::move(step);
      }
    }
    decision.rest = Rest(decision.best_place);
    return decision;
  }

 private:
  ReadingErrorFunction ErrorOfReadings() const {
    return [this](double excess) { return input_.reading_errors.Expected(excess); };
  }

  TrainedState StateAt(Place place) const { return input_.places.At(place); }

  // Start, the latest and the incumbent, by the first ticket that left the weights, each once.
  void FindPlaces() {
    places_ = {Place{}};
    if (!input_.options.train_while_searching) return;
    for (Place place : {input_.incumbent, view_.latest()}) {
      if (!view_.IsKept(place) || !input_.places.Has(place)) continue;
      const Place origin = input_.places.Origin(place);
      if (view_.IsKept(origin)) place = origin;
      if (std::find(places_.begin(), places_.end(), place) == places_.end()) {
        places_.push_back(place);
      }
      latest_ = place;
    }
  }

  void FindTargets(RandomStream& random) {
    std::vector<Choice> pool =
        DrawTargets(problem_, input_.cost, input_.ladder, input_.belief, StateAt(latest_), left_,
                    input_.surrogate, input_.options.worlds, random);
    pool.insert(pool.end(), input_.known.begin(), input_.known.end());
    std::sort(pool.begin(), pool.end());
    pool.erase(std::unique(pool.begin(), pool.end()), pool.end());
    std::erase_if(pool, [&](const Choice& choice) { return input_.excluded.contains(choice); });
    // What cannot be measured any more is nothing to end with.
    const auto is_lost = [&](const Choice& choice) {
      return !costs_.IsMeasured(choice) && !costs_.IsBeingMeasured(choice);
    };
    if (measurements_left_ == 0 && !std::all_of(pool.begin(), pool.end(), is_lost)) {
      std::erase_if(pool, is_lost);
    }
    if (pool.empty()) pool.push_back(UniformChoice(problem_, 8));
    const TargetUtility utility = costs_.UtilityOf(pool);
    const Lookahead lookahead(input_.belief, StateAt(latest_), pool, left_, ErrorOfReadings(),
                              utility);
    // What the search would end with now, however sure that is, and what may take its place.
    const std::size_t count = AsIndex(input_.options.targets);
    std::vector<std::size_t> all(pool.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    std::vector<std::size_t> chosen =
        WhatAddsMost(utility, lookahead.FinalLosses(StateAt(latest_)), std::move(all),
                     count / kOneInTargetsEnds, input_.options.least_gain);
    for (const std::size_t j : MostWanted(lookahead.weights(), pool.size())) {
      if (chosen.size() == count) break;
      if (std::find(chosen.begin(), chosen.end(), j) == chosen.end()) chosen.push_back(j);
    }
    for (const std::size_t j : chosen) targets_.push_back(pool[j]);
    utility_ = costs_.UtilityOf(targets_);
  }

  std::vector<int> TrainingSteps() const {
    std::vector<int> steps;
    for (const int units : input_.options.training_steps) {
      const int batches = units * problem_.batches_per_step;
      if (batches <= left_.search_batches) steps.push_back(batches);
    }
    return steps;
  }

  // Positions of the targets that matter most, the most wanted first.
  static std::vector<std::size_t> MostWanted(const std::vector<double>& weights,
                                             std::size_t count) {
    std::vector<std::size_t> order(weights.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
    order.resize(std::min(order.size(), count));
    return order;
  }

  // What the search would end with is measured whenever it ends: that much is kept for it.
  bool MayMeasure(const Choice& choice) const {
    return measurements_left_ > std::ssize(wanted_) ||
           (measurements_left_ > 0 && wanted_.contains(choice));
  }

  // A step from `from` at `what` that leads to `outlook`, with what a measurement would make of it; one
  // that should read something else first is that reading. read: widths whose loss at `from` is known.
  void Consider(const Outlook& outlook, Place from, const std::set<Choice>& read, Choice what,
                int batches, std::optional<PlannedStep>* best) {
    const double charge = batches > 0 ? charge_of_training_ : 0.0;
    if (batches > 0 && outlook.read_first) {
      what = *outlook.read_first;
      batches = 0;
    }
    const auto target = std::find(targets_.begin(), targets_.end(), what);
    const bool may_measure = target != targets_.end() && MayMeasure(what) &&
                             !costs_.IsMeasured(what) && !costs_.IsBeingMeasured(what);
    const bool is_known = batches == 0 && read.contains(what);
    if (is_known && !may_measure) return;  // it would say nothing
    double value = Lookahead::Expect(outlook, *utility_);
    bool measure = false;
    if (may_measure) {
      const auto j = static_cast<std::size_t>(target - targets_.begin());
      double measured = 0.0;
      for (const Node& node : kNodes) {
        measured += node.weight * Lookahead::Expect(outlook, utility_->IfMeasured(j, node.z));
      }
      // A measurement takes nothing from anything else, unless board seconds are counted.
      measure = measured >= value || !view_.board_seconds_left();
      value = std::max(value, measured);
    }
    if (is_known && !measure) return;
    if (!*best || value - charge > best_value_) {
      best_value_ = value - charge;
      *best = StepOf(from, what, batches, measure);
      (*best)->figures.value = value;
    }
  }

  PlannedStep StepOf(Place from, const Choice& what, int batches, bool measure) const {
    const TrainedState after = input_.belief.After(StateAt(from), what, left_.counted(0, batches));
    const PredictedLoss predicted =
        PredictReading(input_.belief, input_.reading_errors, after, what);
    PlannedStep step{
        .from = from, .what = what, .batches = batches, .measure = measure, .figures = figures_};
    step.figures.predicted_loss =
        AnchorLoss(problem_.anchor, view_.DepthOf(from) + batches) + predicted.mean;
    step.figures.predicted_error = predicted.standard_deviation;
    return step;
  }

  // What may be read beside targets on weights that trained.
  std::vector<Choice> ProbesAt(Place place) const {
    const Choice* widths = view_.WidthsAt(place);
    if (place == Place{} || widths == nullptr) return {};
    std::vector<Choice> probes = ProbesOf(*widths, targets_, input_.belief.index());
    std::erase_if(probes, [&](const Choice& probe) {
      const auto& limit = problem_.budgets.max_weight_bytes;
      return limit && input_.cost.Predict(probe).weight_bytes > *limit;
    });
    return probes;
  }

  // What a plan that trains must be worth more: as much as AmedOptions::least_gain_of_training nats of
  // every target's loss.
  double ChargeOfTraining(const Lookahead& lookahead) const {
    std::vector<double> losses = lookahead.FinalLosses(StateAt(latest_));
    const double without = (*utility_)(losses);
    for (double& loss : losses) loss += input_.options.least_gain_of_training;
    return without - (*utility_)(losses);
  }

  std::optional<PlannedStep> BestStep(const Lookahead& lookahead) {
    charge_of_training_ = ChargeOfTraining(lookahead);
    std::optional<PlannedStep> best;
    const std::vector<std::size_t> wanted =
        MostWanted(lookahead.weights(), AsIndex(input_.options.steps_considered));
    std::vector<Choice> trained_at;  // what training is considered at
    for (const std::size_t j : wanted) trained_at.push_back(targets_[j]);
    trained_at.push_back(NarrowestOf(targets_));
    for (const Place from : places_) {
      const std::set<Choice> read = input_.places.Read(from);
      const std::vector<Choice> probes = ProbesAt(from);
      const TrainedState state = StateAt(from);
      for (const int batches : TrainingSteps()) {
        if (batches > 0) {
          for (const Choice& what : trained_at) {
            Consider(lookahead.OutlookOf(state, what, batches, read, probes), from, read, what,
                     batches, &best);
          }
          continue;
        }
        const Outlook reading = lookahead.OutlookOfReading(state, read, probes);
        if (reading.read_first) Consider(reading, from, read, *reading.read_first, 0, &best);
        for (const std::size_t j : wanted) {
          // What tells most is considered.
          if (costs_.IsMeasured(targets_[j]) || !MayMeasure(targets_[j])) continue;
          Consider(lookahead.OutlookOf(state, targets_[j], 0, read, probes), from, read,
                   targets_[j], 0, &best);
        }
      }
    }
    const Choice* widths = view_.WidthsAt(latest_);
    const int batches = std::min(problem_.batches_per_step, left_.search_batches);
    figures_.value_of_staying =
        lookahead.Value(StateAt(latest_), widths != nullptr ? *widths : UniformChoice(problem_, 8),
                        batches, input_.places.Read(latest_));
    return best;
  }

  // What is left is trained a part at a time, each where it does most good to all targets: one part at the
  // narrowest widths of all helps those near them most, another one then those between. Absent if to train
  // all of it, at whatever widths, would do no good.
  std::optional<PlannedStep> Rest(Place place) {
    if (left_.search_batches == 0) return std::nullopt;
    SearchLeft nothing = left_;
    nothing.search_batches = 0;
    const TrainedState state = StateAt(place);
    const Lookahead after(input_.belief, state, targets_, nothing, ErrorOfReadings(), *utility_);
    const int part =
        std::min(left_.search_batches, kPartOfRest * std::max(1, problem_.batches_per_step));
    std::vector<Choice> trained_at = targets_;
    trained_at.push_back(NarrowestOf(targets_));
    double highest_of_all = -std::numeric_limits<double>::infinity();
    double highest = -std::numeric_limits<double>::infinity();
    const Choice* best = nullptr;
    for (const Choice& what : trained_at) {
      const auto value_after = [&](int batches) {
        return after.ValueOfStopping(input_.belief.After(state, what, left_.counted(0, batches)));
      };
      highest_of_all = std::max(highest_of_all, value_after(left_.search_batches));
      const double value = value_after(part);
      if (value <= highest) continue;
      highest = value;
      best = &what;
    }
    if (highest_of_all <= after.ValueOfStopping(state) + input_.options.least_gain) {
      return std::nullopt;
    }
    PlannedStep step = StepOf(place, *best, part, /*measure=*/false);
    step.figures.value = highest;
    return step;
  }

  // What the search would end with and no board has measured: unmeasured it is worth nothing.
  void FindUnmeasured(const Lookahead& lookahead, PlannedDecision* decision) {
    if (measurements_left_ == 0) return;
    std::vector<std::size_t> unmeasured;
    for (std::size_t j = 0; j < targets_.size(); ++j) {
      if (!costs_.IsMeasured(targets_[j]) && !costs_.IsBeingMeasured(targets_[j]))
        unmeasured.push_back(j);
    }
    for (const std::size_t j :
         WhatAddsMost(*utility_, lookahead.FinalLosses(StateAt(decision->best_place)), unmeasured,
                      AsIndex(measurements_left_), input_.options.least_gain)) {
      wanted_.insert(targets_[j]);
      decision->to_measure.push_back(
          StepOf(decision->best_place, targets_[j], /*batches=*/0, /*measure=*/true));
      decision->to_measure.back().figures.value = figures_.value_of_stopping;
    }
  }

  void FindFinalists(const Lookahead& lookahead, PlannedDecision* decision) const {
    std::vector<std::size_t> measured;
    for (std::size_t j = 0; j < targets_.size(); ++j) {
      if (costs_.IsMeasured(targets_[j])) measured.push_back(j);
    }
    const Place place = decision->best_place;
    for (const std::size_t j : WhatAddsMost(*utility_, lookahead.FinalLosses(StateAt(place)),
                                            measured, measured.size(), input_.options.least_gain)) {
      decision->finalists.push_back(targets_[j]);
      if (input_.places.HasRead(place, targets_[j])) continue;
      decision->to_read.push_back(StepOf(place, targets_[j], /*batches=*/0, /*measure=*/false));
      decision->to_read.back().figures.value = figures_.value_of_stopping;
    }
  }

  const DecisionInput& input_;
  const SearchProblem& problem_;
  const View& view_;
  const ChoiceCosts costs_;
  SearchLeft left_;
  std::vector<Place> places_;
  Place latest_;
  std::vector<Choice> targets_;
  std::optional<TargetUtility> utility_;  // of targets_
  int measurements_left_ = 0;             // networks
  std::set<Choice>
      wanted_;  // of targets_: what the search would end with and no board has measured
  DecisionFigures figures_;
  double charge_of_training_ = 0.0;
  double best_value_ = 0.0;  // of the best step so far, less what training must be worth more
};

}  // namespace

SearchLeft LeftOf(const View& view, bool trains, int readings) {
  SearchLeft left;
  left.readings = readings;
  left.search_batches = trains ? view.mini_batches_left() : 0;
  left.final_batches = TrainedPlaces::Counted(
      {.batches = view.problem().final_batches, .rate_begin = 1.0, .rate_end = 0.0});
  left.counted = [&view](int from, int count) {
    Pace pace;
    pace.batches = count;
    pace.rate_begin = RateShareAt(view, view.mini_batches_submitted() + from);
    pace.rate_end = RateShareAt(view, view.mini_batches_submitted() + from + count);
    return TrainedPlaces::Counted(pace);
  };
  left.share_of_rest = HasCostBudget(view.problem()) ? 1.0 : kShareOfAFront;
  return left;
}

PlannedDecision PlanDecision(const DecisionInput& input, RandomStream& random) {
  return Decider(input, random).Run();
}

}  // namespace bitpilot

// One decision of policy "amed" (policies/amed.h): what to do next, and how to end.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "policies/amed_options.h"
#include "policies/cost_model.h"
#include "policies/environment.h"
#include "policies/lookahead.h"
#include "policies/loss_belief.h"
#include "policies/random_stream.h"
#include "policies/reading_errors.h"
#include "policies/search_problem.h"
#include "policies/surrogate.h"
#include "policies/trained_places.h"
#include "policies/view.h"
#include "policies/width_ladder.h"

namespace bitpilot {

// What is known when a decision is made. References must outlive the call.
struct DecisionInput {
  const SearchProblem& problem;
  const CostModel& cost;
  const WidthLadder& ladder;
  const AmedOptions& options;
  const View& view;
  const LossBelief& belief;  // what is in flight counts as read at its mean
  const TrainedPlaces& places;
  const Surrogate& surrogate;        // of latency, energy and error rates
  const std::vector<Choice>& known;  // that may become targets, beside those drawn
  const std::set<Choice>& excluded;  // that no board runs
  Place incumbent;                   // where the search would have ended by the last decision
  const ReadingErrors& reading_errors;
  int readings_left = 0;  // 0: only how to end is asked
};

struct PlannedStep {
  Place from;
  Choice what;
  int batches = 0;
  bool measure = false;  // what no board has measured yet
  DecisionFigures figures;
};

struct PlannedDecision {
  // The best step, if one is worth more than stopping.
  std::optional<PlannedStep> step;
  // Where the search would end now.
  Place best_place;
  // Before it ends: what it would end with and no board has measured, what adds most first. No step takes
  // the measurements, or the board seconds, that these will need.
  std::vector<PlannedStep> to_measure;
  // Of what was measured, what the search would end with there after the final training, what adds most
  // first.
  std::vector<Choice> finalists;
  // Before it ends: readings of these at the best place that nobody has made. What was measured before
  // anything trained was read there only.
  std::vector<PlannedStep> to_read;
  // Before it ends: a part of the mini-batches that are left, at the widths at which they do most good.
  // Absent if all of them would do none.
  std::optional<PlannedStep> rest;
};

// What is left to plan with. trains: AmedOptions::train_while_searching; a search that does not train
// has no mini-batches but the final ones, whose rate falls by half a cosine from 1 to 0.
//
// `view` must outlive it. REQUIRES: Conditions have come.
SearchLeft LeftOf(const View& view, bool trains, int readings);

// A function of `input` and of what `random` draws.
PlannedDecision PlanDecision(const DecisionInput& input, RandomStream& random);

}  // namespace bitpilot

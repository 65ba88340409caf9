// ChoiceCosts: what networks cost on the boards, as far as is known: measured where every class has
// measured them, predicted otherwise.
#pragma once

#include <vector>

#include "policies/cost_model.h"
#include "policies/random_stream.h"
#include "policies/search_problem.h"
#include "policies/surrogate.h"
#include "policies/target_utility.h"
#include "policies/view.h"

namespace bitpilot {

class ChoiceCosts {
 public:
  // Draws the worlds that say how unsure predictions are. References must outlive the object.
  ChoiceCosts(const SearchProblem& problem, const CostModel& cost, const View& view,
              const Surrogate& surrogate, RandomStream& random);

  // On every class that has a board; false while there is none.
  bool IsMeasured(const Choice& choice) const;
  // A trial in flight asks boards for it.
  bool IsBeingMeasured(const Choice& choice) const;

  TargetCost Of(const Choice& choice) const;
  // Of choices as targets, in this order.
  TargetUtility UtilityOf(const std::vector<Choice>& choices) const;

 private:
  // What the problem's objective makes of the classes' measurements.
  TargetCost MeasuredOf(const Choice& choice) const;
  TargetCost PredictedOf(const Choice& choice) const;

  const SearchProblem& problem_;
  const CostModel& cost_;
  const View& view_;
  std::vector<World> worlds_;
  ErrorLink link_;
};

}  // namespace bitpilot

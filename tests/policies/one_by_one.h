// OneByOne: an environment asked for one candidate after the other, on all classes, without training.
#pragma once

#include <optional>
#include <vector>

#include "kernels/base/check.h"
#include "policies/environment.h"
#include "policies/transition.h"
#include "policies/view.h"

namespace bitpilot {

class OneByOne {
 public:
  // `environment` must outlive this object, and be new.
  explicit OneByOne(Environment& environment)
      : environment_(environment), view_(environment.problem()) {
    Take();
  }

  Transition Try(const Choice& choice) {
    const Candidate what{choice, Origin::kRandom, "test"};
    const Trial trial{view_.next_ticket(), what, {}, {}, view_.Classes(), 0};
    BITPILOT_CHECK(environment_.Submit(trial).ok());
    view_.Submitted(trial);
    Take();
    return ToTransition(view_.problem(), trial, view_.answered().back().outcome);
  }

  std::vector<Transition> TryAll(const std::vector<Choice>& choices) {
    std::vector<Transition> transitions;
    for (const Choice& choice : choices) transitions.push_back(Try(choice));
    return transitions;
  }

 private:
  void Take() {
    const std::optional<Observation> observation = environment_.Next();
    BITPILOT_CHECK(observation.has_value());
    view_.Observed(*observation);
  }

  Environment& environment_;
  View view_;
};

}  // namespace bitpilot

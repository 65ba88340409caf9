// The laws of policies/environment.h, to be run on every implementation: on formulas, on a model board
// and on the product's own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policies/environment.h"
#include "policies/random_stream.h"
#include "policies/view.h"
#include "tests/policies/environment_player.h"
#include "tests/policies/random_actions.h"

namespace bitpilot {

struct ConformanceOptions {
  std::uint64_t seed = 1;
  int num_actions = 40;  // random ones, at most
  int max_batches = 3;   // that one of them trains
  int max_in_flight = 8;
};

// Makes the same environment each time, fresh; boards may behave otherwise.
using EnvironmentFactory = std::function<std::unique_ptr<Environment>()>;

// Nothing may be submitted before Conditions, and those come first.
inline void CheckBeginsWithConditions(Environment& environment) {
  EnvironmentPlayer player(environment);
  const Candidate what{UniformChoice(environment.problem(), 1), Origin::kRandom, "test"};
  const Trial trial{1, what, {}, {}, {}, 0};
  player.ExpectRefused("before the first conditions", trial);
  player.ExpectRefused("before the first conditions", Stop{});
  ASSERT_NO_FATAL_FAILURE(player.Next());
  ASSERT_TRUE(player.view().conditions().has_value());
}

// Random legal actions, several in flight; illegal ones among them; a stop with answers still to come.
inline void CheckRandomActions(Environment& environment, const ConformanceOptions& options) {
  RandomStream random(options.seed, "conformance");
  EnvironmentPlayer player(environment);
  const View& view = player.view();
  ASSERT_NO_FATAL_FAILURE(player.Next());
  for (int i = 0; i < options.num_actions; ++i) {
    const int in_flight = static_cast<int>(view.in_flight().size());
    if (in_flight == options.max_in_flight || (in_flight > 0 && random.NextIndex(2) == 0)) {
      ASSERT_NO_FATAL_FAILURE(player.Next());
    }
    ASSERT_NO_FATAL_FAILURE(player.Submit(RandomAction(view, options.max_batches, random)));
    if (i % 7 == 3) {
      for (const auto& [why, action] : IllegalActions(view)) player.ExpectRefused(why, action);
    }
    if (i % 5 == 4) player.Keep({RandomOf(KeptPlaces(view), random).after});
  }
  const Place last = RandomOf(KeptPlaces(view), random);
  ASSERT_NO_FATAL_FAILURE(player.Submit(Stop{last}));
  const Candidate what{UniformChoice(environment.problem(), 1), Origin::kRandom, "test"};
  player.ExpectRefused("after the stop", Trial{view.next_ticket(), what, {}, {}, {}, 0});
  player.ExpectRefused("after the stop", Stop{last});
  ASSERT_NO_FATAL_FAILURE(player.Finish());
}

// The same actions: chains from the start and from a place that is kept, siblings, readings without
// training, a probe between. Places: 0, 1 and the last.
inline std::vector<Action> TrainingScript(const View& view, const ConformanceOptions& options) {
  RandomStream random(options.seed, "script");
  const SearchProblem& problem = view.problem();
  const int some = std::min(options.max_batches, view.mini_batches_left() / 8);
  const Pace pace{some, 0.5, 0.25};
  const Pace none{};
  const auto what = [](const Choice& choice) {
    return Candidate{choice, Origin::kRandom, "script"};
  };
  const Choice a = RandomAllowedChoice(view, random);
  const Choice b = RandomAllowedChoice(view, random);
  const auto trial = [&](TicketId id, const Choice& choice, TicketId from, const Pace& train) {
    return Trial{id, what(choice), {from}, train, {}, 0};
  };
  std::vector<Action> script = {
      trial(1, a, 0, pace),  // 1: from the start
      trial(2, b, 1, pace),  // 2, 3: siblings
      Probe{3, {a, UniformChoice(problem, 1)}, {1}},
      trial(4, b, 1, pace),
      trial(5, a, 1, none),  // 5, 6: one reading twice
      trial(6, a, 1, none),
      trial(7, a, some > 0 ? 4 : 1, pace),  // goes on from the last that trained
      trial(8, a, 0, pace),                 // 1 again
  };
  if (some > 0) {
    script.emplace_back(Advance{9, what(b), {8}, pace, 0});
    script.emplace_back(trial(10, b, 9, none));
  }
  return script;
}

inline void ExpectSameTraining(const TrialOutcome& a, const TrialOutcome& b) {
  EXPECT_EQ(a.score, b.score) << "tickets " << a.id << " and " << b.id;
  EXPECT_EQ(a.train_loss, b.train_loss) << "tickets " << a.id << " and " << b.id;
  EXPECT_EQ(a.at.depth, b.at.depth) << "tickets " << a.id << " and " << b.id;
}

// Plays the script; every trial asks the classes that take it.
// at_once: submits what it can before it waits.
inline void PlayScript(EnvironmentPlayer& player, const ConformanceOptions& options, bool at_once) {
  const View& view = player.view();
  ASSERT_NO_FATAL_FAILURE(player.Next());
  for (Action action : TrainingScript(view, options)) {
    if (auto* trial = std::get_if<Trial>(&action)) {
      for (const ClassId& on : view.Classes()) {
        trial->classes.push_back(on);
        if (!view.Check(*trial).ok()) trial->classes.pop_back();
      }
    }
    ASSERT_NO_FATAL_FAILURE(player.Submit(action));
    if (view.next_ticket() == 2) player.Keep({1});
    while (!view.in_flight().empty() &&
           (!at_once || static_cast<int>(view.in_flight().size()) >= options.max_in_flight)) {
      ASSERT_NO_FATAL_FAILURE(player.Next());
    }
  }
  ASSERT_NO_FATAL_FAILURE(player.Finish());
}

// Training depends on the actions and on nothing that boards do.
inline void CheckTrainingRepeats(const EnvironmentFactory& make,
                                 const ConformanceOptions& options) {
  const std::unique_ptr<Environment> environments[] = {make(), make()};
  EnvironmentPlayer one_by_one(*environments[0]);
  EnvironmentPlayer at_once(*environments[1]);
  ASSERT_NO_FATAL_FAILURE(PlayScript(one_by_one, options, /*at_once=*/false));
  ASSERT_NO_FATAL_FAILURE(PlayScript(at_once, options, /*at_once=*/true));
  ASSERT_EQ(one_by_one.outcomes().size(), at_once.outcomes().size());
  for (const auto& [id, outcome] : one_by_one.outcomes()) {
    ExpectSameTraining(outcome, at_once.outcomes().at(id));
    EXPECT_EQ(outcome.at.spent, at_once.outcomes().at(id).at.spent);
  }
  for (const auto& [id, advanced] : one_by_one.advances()) {
    EXPECT_EQ(advanced, at_once.advances().at(id));
  }
  for (const auto& [id, probed] : one_by_one.probes()) {
    EXPECT_EQ(probed, at_once.probes().at(id));
  }
  const auto& outcomes = at_once.outcomes();
  ExpectSameTraining(outcomes.at(2), outcomes.at(4));
  ExpectSameTraining(outcomes.at(5), outcomes.at(6));
  ExpectSameTraining(outcomes.at(1), outcomes.at(8));
}

inline void CheckEnvironmentConformance(const EnvironmentFactory& make,
                                        const ConformanceOptions& options) {
  ASSERT_NO_FATAL_FAILURE(CheckBeginsWithConditions(*make()));
  ASSERT_NO_FATAL_FAILURE(CheckRandomActions(*make(), options));
  ASSERT_NO_FATAL_FAILURE(CheckTrainingRepeats(make, options));
}

}  // namespace bitpilot

// The laws of policies/environment.h, to be run on every implementation.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "policies/environment.h"
#include "policies/random_stream.h"
#include "tests/policies/random_choice.h"

namespace bitpilot {

// Plays random proposals until the budget is used up, checks the laws at each step and appends the
// transitions.
inline void PlayAndCheckEnvironment(Environment& environment, std::uint64_t seed,
                                    std::vector<Transition>& transitions) {
  RandomStream random(seed, "conformance");
  const SearchProblem* problem = &environment.problem();
  const std::size_t num_variables = problem->variables.size();
  const CostTable table = problem->table;
  while (environment.measurements_left() > 0) {
    const Proposal proposal{.choice = RandomChoice(*problem, random), .reason = "random"};
    const int left = environment.measurements_left();
    const std::optional<Transition> transition = environment.Step(proposal);
    ASSERT_EQ(&environment.problem(), problem);
    ASSERT_EQ(problem->variables.size(), num_variables);
    ASSERT_EQ(problem->table.operations.size(), table.operations.size());
    if (!transition) {  // The step did not happen.
      ASSERT_EQ(environment.measurements_left(), left);
      continue;
    }
    ASSERT_EQ(environment.measurements_left(), left - 1);
    ASSERT_EQ(transition->choice, proposal.choice);
    const bool measured = transition->status == TransitionStatus::kMeasured;
    ASSERT_EQ(transition->latency_ns.has_value(), measured);
    if (measured) {
      ASSERT_GT(*transition->latency_ns, 0.0);
      ASSERT_LE(transition->latency_low_ns, *transition->latency_ns);
      ASSERT_GE(transition->latency_high_ns, *transition->latency_ns);
    } else {
      ASSERT_EQ(transition->latency_low_ns, 0.0);
      ASSERT_EQ(transition->latency_high_ns, 0.0);
    }
    // Energies only beside latencies, and never one that is both measured and a model's.
    ASSERT_TRUE(measured || (!transition->energy_ratio && !transition->model_energy_ratio));
    ASSERT_FALSE(transition->energy_ratio && transition->model_energy_ratio);
    ASSERT_GE(transition->accuracy, 0.0);
    ASSERT_LE(transition->accuracy, 1.0);
    ASSERT_EQ(transition->weight_bytes,
              WeightBytes(problem->topology, ToAssignment(*problem, transition->choice)));
    transitions.push_back(*transition);
  }
}

// Plays two environments that `make` makes alike; losses and accuracies must repeat exactly.
inline void CheckEnvironmentConformance(const std::function<std::unique_ptr<Environment>()>& make,
                                        std::uint64_t seed) {
  std::vector<Transition> first;
  std::vector<Transition> second;
  ASSERT_NO_FATAL_FAILURE(PlayAndCheckEnvironment(*make(), seed, first));
  ASSERT_NO_FATAL_FAILURE(PlayAndCheckEnvironment(*make(), seed, second));
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    ASSERT_EQ(first[i].loss, second[i].loss);
    ASSERT_EQ(first[i].accuracy, second[i].accuracy);
  }
}

}  // namespace bitpilot

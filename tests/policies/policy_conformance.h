// The laws of policies/policy.h, to be run on every policy in every kind of environment.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policies/environment.h"
#include "policies/history_policy.h"
#include "policies/policy.h"

namespace bitpilot {

// What a search did: every proposal that was stepped, and its outcome.
struct SearchTrace {
  std::vector<Choice> choices;
  std::vector<std::string> reasons;
  std::vector<Transition> transitions;
};

inline SearchState StateOf(const SearchTrace& trace, const Environment& environment) {
  return {.step = static_cast<int>(trace.transitions.size()),
          .measurements_left = environment.measurements_left()};
}

inline std::vector<Choice> Choices(const std::vector<Proposal>& proposals) {
  std::vector<Choice> choices;
  for (const Proposal& proposal : proposals) {
    choices.push_back(proposal.choice);
  }
  return choices;
}

// A fresh policy that continues from `state`.
inline std::unique_ptr<Policy> Restore(const std::string& name, const SearchProblem& problem,
                                       const std::string& state) {
  // Another seed: what counts must come from the state.
  std::unique_ptr<Policy> restored = MakePolicy(name, problem, 987'654'321).value();
  EXPECT_TRUE(restored->Load(state).ok());
  EXPECT_EQ(restored->Save(), state);
  return restored;
}

// Searches until the budget is used up or nothing is proposed. Checks at every call that proposals
// are legal, new, within the size budget, at most as many as may be measured, and that asking twice
// changes nothing.
//
// restore_each_step: before every single step the policy is saved and a restored one goes on, also
// in the middle of a batch, whose rest it must propose again.
inline void SearchAndCheck(const std::string& name, Environment& environment, std::uint64_t seed,
                           bool restore_each_step, SearchTrace& trace) {
  const SearchProblem& problem = environment.problem();
  std::unique_ptr<Policy> policy = MakePolicy(name, problem, seed).value();
  ASSERT_EQ(policy->name(), name);
  std::set<Choice> seen;
  while (environment.measurements_left() > 0) {
    const std::vector<Proposal> proposals = policy->Propose(StateOf(trace, environment));
    if (trace.transitions.empty()) {
      ASSERT_EQ(Choices(policy->Propose(StateOf(trace, environment))), Choices(proposals));
    }
    ASSERT_LE(proposals.size(), static_cast<std::size_t>(environment.measurements_left()));
    if (proposals.empty()) {
      return;
    }
    for (const Proposal& proposal : proposals) {
      ASSERT_TRUE(IsLegal(problem, proposal.choice));
      ASSERT_FALSE(proposal.reason.empty());
      ASSERT_NE(proposal.origin, Origin::kUnknown) << proposal.reason;
      ASSERT_FALSE(seen.contains(proposal.choice)) << proposal.reason;
      const auto bytes = WeightBytes(problem.topology, ToAssignment(problem, proposal.choice));
      ASSERT_LE(bytes, problem.budgets.max_weight_bytes.value_or(bytes));
      const std::optional<Transition> transition = environment.Step(proposal);
      if (!transition) {
        break;  // Interrupted: ask again.
      }
      seen.insert(proposal.choice);
      policy->Observe(*transition);
      trace.choices.push_back(proposal.choice);
      trace.reasons.push_back(proposal.reason);
      trace.transitions.push_back(*transition);
      if (restore_each_step) {
        policy = Restore(name, problem, policy->Save());
        break;
      }
    }
  }
}

// A search and one that is saved and restored before every step must do the same.
inline void CheckPolicyConformance(const std::string& name,
                                   const std::function<std::unique_ptr<Environment>()>& make,
                                   std::uint64_t seed) {
  SearchTrace once;
  SearchTrace restored;
  ASSERT_NO_FATAL_FAILURE(SearchAndCheck(name, *make(), seed, false, once));
  ASSERT_NO_FATAL_FAILURE(SearchAndCheck(name, *make(), seed, true, restored));
  ASSERT_FALSE(once.choices.empty());
  EXPECT_EQ(once.choices, restored.choices);
  EXPECT_EQ(once.reasons, restored.reasons);
}

}  // namespace bitpilot

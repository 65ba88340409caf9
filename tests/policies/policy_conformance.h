// The laws of policies/policy.h, to be run on every policy in every kind of environment.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "policies/cost_model.h"
#include "policies/environment.h"
#include "policies/integer_program.h"
#include "policies/policy.h"
#include "tests/policies/search_log.h"

namespace bitpilot {

// What holds of every action, beyond that View allows it.
inline void CheckActions(const SearchLog& log) {
  TicketId next = 1;
  for (const SearchEvent& event : log) {
    for (const Action& action : event.actions) {
      if (const auto* trial = std::get_if<Trial>(&action)) {
        EXPECT_EQ(trial->id, next++);
        EXPECT_FALSE(trial->what.reason.empty());
        EXPECT_NE(trial->what.origin, Origin::kUnknown) << trial->what.reason;
      } else if (const auto* advance = std::get_if<Advance>(&action)) {
        EXPECT_EQ(advance->id, next++);
        EXPECT_NE(advance->what.origin, Origin::kUnknown) << advance->what.reason;
      } else if (const auto* probe = std::get_if<Probe>(&action)) {
        EXPECT_EQ(probe->id, next++);
      }
    }
    EXPECT_LE(event.keeps.size(), kMaxKeeps);
    EXPECT_TRUE(std::is_sorted(event.keeps.begin(), event.keeps.end()));
    EXPECT_EQ(std::set<TicketId>(event.keeps.begin(), event.keeps.end()).size(),
              event.keeps.size());
  }
}

// Searches; then decides everything again, and what follows each event after a resume.
//
// Returns the log.
inline SearchLog CheckPolicyConformance(const std::string& name, Environment& environment,
                                        std::uint64_t seed) {
  const SearchProblem& problem = environment.problem();
  // Solved once: what takes time is no part of what is tested.
  IntegerProgramAnswers answers;
  if (const int count = NumIntegerProgramAnswers(name, problem); count > 0) {
    const CostModel cost = CostModel::Create(problem).value();
    answers = SolveIntegerProgram(problem, cost, count).value();
  }
  // Laws hold whatever a plan looks at: less of it is as good here, and quicker.
  const bool plans = name == "amed" || name == "two-stage";
  const std::string options =
      plans ? R"({"targets": 8, "worlds": 3, "steps_considered": 3})" : "{}";
  const auto make = [&] { return MakePolicy(name, problem, seed, answers, options).value(); };
  const std::unique_ptr<Policy> policy = make();
  EXPECT_EQ(policy->name(), name);
  const SearchLog log = RunSearch(*policy, environment);
  EXPECT_FALSE(TrialsOf(log).empty());
  CheckActions(log);
  EXPECT_EQ(FirstOtherDecision(*make(), problem, log, 0, log.size()), "");
  for (std::size_t first = 1; first < log.size(); ++first) {
    EXPECT_EQ(FirstOtherDecision(*make(), problem, log, first, first + 1), "");
  }
  return log;
}

}  // namespace bitpilot

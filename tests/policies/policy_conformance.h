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

#include "policies/environment.h"
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

// Searches; then decides everything again, from the beginning and from every event.
//
// Returns the log.
inline SearchLog CheckPolicyConformance(const std::string& name, Environment& environment,
                                        std::uint64_t seed) {
  const SearchProblem& problem = environment.problem();
  const std::unique_ptr<Policy> policy = MakePolicy(name, problem, seed).value();
  EXPECT_EQ(policy->name(), name);
  const SearchLog log = RunSearch(*policy, environment);
  EXPECT_FALSE(TrialsOf(log).empty());
  CheckActions(log);
  for (std::size_t first = 0; first < log.size(); ++first) {
    const std::unique_ptr<Policy> again = MakePolicy(name, problem, seed).value();
    EXPECT_EQ(CountOtherDecisions(*again, problem, log, first), 0);
  }
  return log;
}

}  // namespace bitpilot

// Policy: proposes candidates and learns from what they cost.
//
// Laws (tests/policies/policy_conformance.h runs them on every policy):
//   - Propose() and Observe() depend only on the problem, the seed and the transitions observed so
//     far. Decisions are float64 in plain code, so that a study verifies on any machine
//     (policies/plain_math.h).
//   - Load(Save()) gives a policy that continues exactly like the original, random streams
//     included.
//   - Every proposed choice is legal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "policies/environment.h"
#include "policies/integer_program.h"
#include "policies/search_problem.h"

namespace bitpilot {

// What a policy sees before it proposes; everything else it learned by Observe().
struct SearchState {
  int step = 0;               // decisions made so far
  int measurements_left = 0;  // the budget
};

class Policy {
 public:
  virtual ~Policy() = default;

  // Short, unique and stable: "amed". Keys studies and comparisons.
  virtual std::string name() const = 0;

  // Candidates to step through, in order; at most state.measurements_left of them. Empty: nothing
  // left to try.
  virtual std::vector<Proposal> Propose(const SearchState& state) = 0;

  // Learns from one transition. Called for every step, in the order in which the agent consumed
  // them.
  virtual void Observe(const Transition& transition) = 0;

  // Whole state as text, random streams included.
  virtual std::string Save() const = 0;

  // Errors: kDataCorrupt if `state` is not what Save() of this policy wrote for this problem.
  virtual Status Load(std::string_view state) = 0;
};

// Names that MakePolicy() takes, in the order that help texts print.
std::vector<std::string> PolicyNames();

// True of the policies that begin with the integer program's answers.
bool StartsWithIntegerProgram(std::string_view name);

// `problem` must outlive the policy. Solves the integer program where the policy begins with it.
//
// Errors:
//   kInvalidArgument  an unknown name (the message lists the known ones), a problem without
//                     variables, or budgets that no choice keeps.
Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed);

// The same with answers that are known already, NumIlpAnswers() of them.
Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed,
                                           const IntegerProgramAnswers& answers);

}  // namespace bitpilot

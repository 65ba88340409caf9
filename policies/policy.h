// Policy: proposes what to train and to measure, and learns from what came of it.
//
// Laws (tests/policies/policy_conformance.h runs them on every policy):
//   - Act(), Keeps() and Save() depend on the problem, the options, the seed, the observations and the
//     actions so far, and on nothing else. Decisions are float64 in plain code, so that a study
//     verifies on any machine (policies/plain_math.h).
//   - Every action is legal by the View that Act() got, one after the other.
//   - Observe() is cheap: a resumed search repeats all of them, but no Act(). Save() holds what Act()
//     leaves behind; a policy that observed the same and then Load()s it goes on exactly like the
//     original, random streams included.
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
#include "policies/view.h"

namespace bitpilot {

// Places that a policy may keep.
inline constexpr std::size_t kMaxKeeps = 8;

class Policy {
 public:
  virtual ~Policy() = default;

  // Short, unique and stable: "amed". Keys studies and comparisons.
  virtual std::string name() const = 0;

  // What to do now, in order; ticket ids count on from view.next_ticket(). Called after every
  // observation. Nothing, with nothing in flight, ends the search like a Stop at the last place.
  virtual std::vector<Action> Act(const View& view) = 0;

  // Called for every observation, in the order of Environment::Next(), before Act(). `view` has
  // taken it in already.
  virtual void Observe(const View& view, const Observation& observation) = 0;

  // Places to keep from here on, ascending, at most kMaxKeeps. Asked after Act(), before what that decided
  // is submitted: all of them are there then.
  virtual std::vector<TicketId> Keeps() const { return {}; }

  virtual std::string Save() const = 0;

  // Errors: kDataCorrupt if `state` is not what Save() of this policy wrote for this problem.
  virtual Status Load(std::string_view state) = 0;
};

// Names that MakePolicy() takes, in the order that help texts print.
std::vector<std::string> PolicyNames();

// True of the policies that begin with the integer program's answers.
bool StartsWithIntegerProgram(std::string_view name);

// How many of the integer program's answers the policy asks for: "ilp" one for each measurement, those
// that go on to learn at most kNumIlpAnswers. 0: none.
int NumIntegerProgramAnswers(std::string_view name, const SearchProblem& problem);

// Before there is a problem: whether the policy takes these options.
//
// Errors: kInvalidArgument names the option, or says that the policy takes none; an unknown name.
Status CheckPolicyOptions(std::string_view name, std::string_view options);

// `problem` must outlive the policy. Solves the integer program where the policy begins with it.
//
// options: a JSON object, of "amed" and "two-stage" policies/amed_options.h's; the others take none.
//
// Errors:
//   kInvalidArgument  an unknown name (the message lists the known ones), options that the policy does
//                     not take, a problem without variables, or budgets that no choice keeps.
Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed, std::string_view options = "{}");

// The same with answers that are known already, NumIntegerProgramAnswers() of them.
Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed, const IntegerProgramAnswers& answers,
                                           std::string_view options = "{}");

}  // namespace bitpilot

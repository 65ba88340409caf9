#include "policies/policy.h"

#include <algorithm>
#include <utility>

#include "policies/amed_blind.h"
#include "policies/cost_model.h"
#include "policies/ilp.h"
#include "policies/random.h"
#include "policies/uniform.h"

namespace bitpilot {
namespace {

using Maker = std::unique_ptr<Policy> (*)(const SearchProblem&, CostModel, std::uint64_t,
                                          std::vector<Candidate> answers);

// How many of the integer program's answers a policy begins with.
enum class Ladder { kNone, kStart, kWholeBudget };

struct PolicyEntry {
  std::string_view name;
  Maker make;
  Ladder ladder;
};

template <typename T>
std::unique_ptr<Policy> Make(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
                             std::vector<Candidate>) {
  return std::make_unique<T>(problem, std::move(cost), seed);
}

template <typename T>
std::unique_ptr<Policy> MakeWithAnswers(const SearchProblem& problem, CostModel cost,
                                        std::uint64_t seed, std::vector<Candidate> answers) {
  return std::make_unique<T>(problem, std::move(cost), seed, std::move(answers));
}

std::unique_ptr<Policy> MakeAmed(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
                                 std::vector<Candidate> answers) {
  return std::make_unique<AmedBlindPolicy>(problem, std::move(cost), seed, std::move(answers),
                                           "amed");
}

constexpr PolicyEntry kPolicies[] = {
    {"amed", MakeAmed, Ladder::kStart},
    {"amed-blind", MakeWithAnswers<AmedBlindPolicy>, Ladder::kStart},
    {"ilp", MakeWithAnswers<IlpPolicy>, Ladder::kWholeBudget},
    {"random", Make<RandomPolicy>, Ladder::kNone},
    {"uniform", Make<UniformPolicy>, Ladder::kNone},
};

Result<const PolicyEntry*> FindPolicy(std::string_view name) {
  std::string known;
  for (const PolicyEntry& entry : kPolicies) {
    if (entry.name == name) {
      return &entry;
    }
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  return InvalidArgument("unknown policy \"" + std::string(name) + "\"; known policies: " + known);
}

int NumAnswers(Ladder ladder, const SearchProblem& problem) {
  const int all = std::max(1, problem.max_measurements);
  switch (ladder) {
    case Ladder::kNone:
      return 0;
    case Ladder::kStart:
      return std::min(all, kNumIlpAnswers);
    case Ladder::kWholeBudget:
      return all;
  }
  return 0;
}

// `answers`: solved here if null.
Result<std::unique_ptr<Policy>> MakeEntry(std::string_view name, const SearchProblem& problem,
                                          std::uint64_t seed,
                                          const IntegerProgramAnswers* answers) {
  const Result<const PolicyEntry*> entry = FindPolicy(name);
  if (!entry.ok()) {
    return entry.status();
  }
  if (problem.variables.empty()) {
    return InvalidArgument("search problem: no widths to choose, every layer is fixed");
  }
  Result<CostModel> cost = CostModel::Create(problem);
  if (!cost.ok()) {
    return cost.status();
  }
  std::vector<Candidate> candidates;
  if ((*entry)->ladder != Ladder::kNone) {
    Result<std::vector<Candidate>> known =
        answers != nullptr ? Result(ToCandidates(*answers))
                           : IlpAnswers(problem, *cost, NumAnswers((*entry)->ladder, problem));
    if (!known.ok()) {
      return known.status();
    }
    candidates = std::move(known).value();
  }
  return (*entry)->make(problem, std::move(cost).value(), seed, std::move(candidates));
}

}  // namespace

std::vector<std::string> PolicyNames() {
  std::vector<std::string> names;
  for (const PolicyEntry& entry : kPolicies) {
    names.emplace_back(entry.name);
  }
  return names;
}

bool StartsWithIntegerProgram(std::string_view name) {
  const Result<const PolicyEntry*> entry = FindPolicy(name);
  return entry.ok() && (*entry)->ladder != Ladder::kNone;
}

int NumIntegerProgramAnswers(std::string_view name, const SearchProblem& problem) {
  const Result<const PolicyEntry*> entry = FindPolicy(name);
  return entry.ok() ? NumAnswers((*entry)->ladder, problem) : 0;
}

Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed) {
  return MakeEntry(name, problem, seed, nullptr);
}

Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed,
                                           const IntegerProgramAnswers& answers) {
  return MakeEntry(name, problem, seed, &answers);
}

}  // namespace bitpilot

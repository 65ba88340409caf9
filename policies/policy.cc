#include "policies/policy.h"

#include <algorithm>
#include <utility>

#include "kernels/base/joined.h"
#include "policies/amed.h"
#include "policies/amed_blind.h"
#include "policies/amed_options.h"
#include "policies/cost_model.h"
#include "policies/ilp.h"
#include "policies/random.h"
#include "policies/uniform.h"

namespace bitpilot {
namespace {

using Maker = Result<std::unique_ptr<Policy>> (*)(const SearchProblem&, CostModel, std::uint64_t,
                                                  std::vector<Candidate> answers,
                                                  std::string_view options);

// How many of the integer program's answers a policy begins with.
enum class Ladder { kNone, kStart, kWholeBudget };

struct PolicyEntry {
  std::string_view name;
  Maker make;
  Ladder ladder;
};

Status RefuseOptions(std::string_view options) {
  if (options == "{}") return Status();
  return InvalidArgument("this policy takes none, got " + std::string(options));
}

template <typename T>
Result<std::unique_ptr<Policy>> Make(const SearchProblem& problem, CostModel cost,
                                     std::uint64_t seed, std::vector<Candidate>,
                                     std::string_view options) {
  BITPILOT_RETURN_IF_ERROR(RefuseOptions(options));
  return std::unique_ptr<Policy>(std::make_unique<T>(problem, std::move(cost), seed));
}

template <typename T>
Result<std::unique_ptr<Policy>> MakeWithAnswers(const SearchProblem& problem, CostModel cost,
                                                std::uint64_t seed, std::vector<Candidate> answers,
                                                std::string_view options) {
  BITPILOT_RETURN_IF_ERROR(RefuseOptions(options));
  return std::unique_ptr<Policy>(
      std::make_unique<T>(problem, std::move(cost), seed, std::move(answers)));
}

template <bool kTrainWhileSearching>
Result<std::unique_ptr<Policy>> MakeAmed(const SearchProblem& problem, CostModel cost,
                                         std::uint64_t seed, std::vector<Candidate> answers,
                                         std::string_view options) {
  Result<AmedOptions> parsed = AmedOptionsFromJson(options);
  if (!parsed.ok()) return parsed.status();
  parsed->train_while_searching = kTrainWhileSearching;
  return std::unique_ptr<Policy>(std::make_unique<AmedPolicy>(
      problem, std::move(cost), seed, std::move(answers), std::move(*parsed)));
}

constexpr PolicyEntry kPolicies[] = {
    {"amed", MakeAmed<true>, Ladder::kStart},
    {"amed-blind", MakeWithAnswers<AmedBlindPolicy>, Ladder::kStart},
    {"ilp", MakeWithAnswers<IlpPolicy>, Ladder::kWholeBudget},
    {"random", Make<RandomPolicy>, Ladder::kNone},
    {"two-stage", MakeAmed<false>, Ladder::kStart},
    {"uniform", Make<UniformPolicy>, Ladder::kNone},
};

Result<const PolicyEntry*> FindPolicy(std::string_view name) {
  for (const PolicyEntry& entry : kPolicies) {
    if (entry.name == name) return &entry;
  }
  return InvalidArgument("unknown policy \"" + std::string(name) +
                         "\"; known policies: " + Joined(kPolicies, &PolicyEntry::name));
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
                                          std::uint64_t seed, const IntegerProgramAnswers* answers,
                                          std::string_view options) {
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
  Result<std::unique_ptr<Policy>> policy =
      (*entry)->make(problem, std::move(cost).value(), seed, std::move(candidates), options);
  if (!policy.ok()) return policy.status().WithContext("options of policy " + std::string(name));
  return policy;
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

Status CheckPolicyOptions(std::string_view name, std::string_view options) {
  const Result<const PolicyEntry*> entry = FindPolicy(name);
  if (!entry.ok()) return entry.status();
  const bool plans = (*entry)->make == MakeAmed<true> || (*entry)->make == MakeAmed<false>;
  return plans ? AmedOptionsFromJson(options).status() : RefuseOptions(options);
}

Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed, std::string_view options) {
  return MakeEntry(name, problem, seed, nullptr, options);
}

Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed, const IntegerProgramAnswers& answers,
                                           std::string_view options) {
  return MakeEntry(name, problem, seed, &answers, options);
}

}  // namespace bitpilot

#include "policies/policy.h"

#include <utility>

#include "policies/amed.h"
#include "policies/cost_model.h"
#include "policies/ilp.h"
#include "policies/random.h"
#include "policies/uniform.h"

namespace bitpilot {
namespace {

using Maker = std::unique_ptr<Policy> (*)(const SearchProblem&, CostModel, std::uint64_t,
                                          std::vector<Proposal> answers);

struct PolicyEntry {
  std::string_view name;
  Maker make;
  bool starts_with_integer_program;
};

template <typename T>
std::unique_ptr<Policy> Make(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
                             std::vector<Proposal>) {
  return std::make_unique<T>(problem, std::move(cost), seed);
}

template <typename T>
std::unique_ptr<Policy> MakeWithAnswers(const SearchProblem& problem, CostModel cost,
                                        std::uint64_t seed, std::vector<Proposal> answers) {
  return std::make_unique<T>(problem, std::move(cost), seed, std::move(answers));
}

constexpr PolicyEntry kPolicies[] = {
    {"amed", MakeWithAnswers<AmedPolicy>, true},
    {"ilp", MakeWithAnswers<IlpPolicy>, true},
    {"random", Make<RandomPolicy>, false},
    {"uniform", Make<UniformPolicy>, false},
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
  std::vector<Proposal> proposals;
  if ((*entry)->starts_with_integer_program) {
    Result<std::vector<Proposal>> known = answers != nullptr
                                              ? Result(ToProposals(*answers))
                                              : IlpAnswers(problem, *cost, NumIlpAnswers(problem));
    if (!known.ok()) {
      return known.status();
    }
    proposals = std::move(known).value();
  }
  return (*entry)->make(problem, std::move(cost).value(), seed, std::move(proposals));
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
  return entry.ok() && (*entry)->starts_with_integer_program;
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

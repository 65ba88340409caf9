#include "policies/policy.h"

#include <utility>

#include "policies/amed.h"
#include "policies/cost_model.h"
#include "policies/ilp.h"
#include "policies/random.h"
#include "policies/uniform.h"

namespace bitpilot {
namespace {

using Maker = Result<std::unique_ptr<Policy>> (*)(const SearchProblem&, CostModel, std::uint64_t);

struct PolicyEntry {
  std::string_view name;
  Maker make;
};

template <typename T>
Result<std::unique_ptr<Policy>> Make(const SearchProblem& problem, CostModel cost,
                                     std::uint64_t seed) {
  return std::unique_ptr<Policy>(std::make_unique<T>(problem, std::move(cost), seed));
}

// Policies that start with the integer program's answers.
template <typename T>
Result<std::unique_ptr<Policy>> MakeWithAnswers(const SearchProblem& problem, CostModel cost,
                                                std::uint64_t seed) {
  Result<std::vector<Proposal>> answers = IlpAnswers(problem, cost, NumIlpAnswers(problem));
  if (!answers.ok()) {
    return answers.status();
  }
  return std::unique_ptr<Policy>(
      std::make_unique<T>(problem, std::move(cost), seed, std::move(answers).value()));
}

constexpr PolicyEntry kPolicies[] = {
    {"amed", MakeWithAnswers<AmedPolicy>},
    {"ilp", MakeWithAnswers<IlpPolicy>},
    {"random", Make<RandomPolicy>},
    {"uniform", Make<UniformPolicy>},
};

}  // namespace

std::vector<std::string> PolicyNames() {
  std::vector<std::string> names;
  for (const PolicyEntry& entry : kPolicies) {
    names.emplace_back(entry.name);
  }
  return names;
}

Result<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const SearchProblem& problem,
                                           std::uint64_t seed) {
  std::string known;
  for (const PolicyEntry& entry : kPolicies) {
    if (entry.name == name) {
      if (problem.variables.empty()) {
        return InvalidArgument("search problem: no widths to choose, every layer is fixed");
      }
      Result<CostModel> cost = CostModel::Create(problem);
      return cost.ok() ? entry.make(problem, std::move(cost).value(), seed) : cost.status();
    }
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  return Status(StatusCode::kNotFound,
                "unknown policy \"" + std::string(name) + "\"; known policies: " + known);
}

}  // namespace bitpilot

#include "policies/integer_program.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "kernels/base/check.h"
#include "policies/bit_allocator.h"

namespace bitpilot {
namespace {

// `count` ratios, evenly spaced in (low, high], ascending.
void AppendSpaced(double low, double high, int count, std::vector<double>& ratios) {
  for (int i = 1; i <= count; ++i) {
    ratios.push_back(low + (high - low) * i / count);
  }
}

std::vector<double> LatencyRatios(const Budgets& budgets, double fastest, int count) {
  std::vector<double> ratios;
  const double slowest = std::max(1.0, fastest);
  const double limit = std::max(budgets.max_latency_ratio.value_or(slowest), fastest);
  if (limit >= slowest) {
    AppendSpaced(fastest, slowest, count, ratios);
  } else {
    const int below = (count + 1) / 2;
    AppendSpaced(fastest, limit, below, ratios);
    AppendSpaced(limit, slowest, count - below, ratios);
  }
  return ratios;
}

// Without energies in the table, energy is taken to follow latency until it was measured.
Budgets WithEnergyAsLatency(Budgets budgets, const CostModel& cost) {
  if (budgets.max_energy_ratio && !cost.has_energy()) {
    budgets.max_latency_ratio = std::min(
        *budgets.max_energy_ratio, budgets.max_latency_ratio.value_or(*budgets.max_energy_ratio));
  }
  return budgets;
}

std::vector<double> LimitsOf(const SearchProblem& problem, const CostModel& cost, int num_answers,
                             const Choice& fastest) {
  return LatencyRatios(WithEnergyAsLatency(problem.budgets, cost), cost.LatencyRatio(fastest),
                       num_answers);
}

}  // namespace

Result<IntegerProgramAnswers> SolveIntegerProgram(const SearchProblem& problem,
                                                  const CostModel& cost, int num_answers) {
  BITPILOT_CHECK(num_answers >= 1);
  const BitAllocator allocator(problem, cost);
  const Result<Choice> fastest = allocator.MinimizeLatency();
  if (!fastest.ok()) {
    return InvalidArgument("budgets: " + fastest.status().message() +
                           "; raise a budget or allow narrower widths");
  }
  IntegerProgramAnswers solved{*fastest, {}};
  for (const double ratio : LimitsOf(problem, cost, num_answers, *fastest)) {
    const Result<Choice> choice = allocator.MinimizeLoss(ratio);
    // At its own ratio the fastest choice can miss the limit by a rounding of the grid.
    solved.answers.push_back({ratio, choice.ok() ? *choice : *fastest});
  }
  return solved;
}

Status CheckIntegerProgram(const SearchProblem& problem, const CostModel& cost, int num_answers,
                           const IntegerProgramAnswers& answers) {
  const BitAllocator allocator(problem, cost);
  const auto check = [&](const std::string& who, std::optional<double> max_latency_ratio,
                         const Choice& choice) {
    if (!IsLegal(problem, choice)) {
      return DataCorrupt(who + ": not one legal width for every variable");
    }
    return allocator.CheckAnswer(max_latency_ratio, choice).WithContext(who);
  };
  BITPILOT_RETURN_IF_ERROR(
      check("the integer program's fastest choice", std::nullopt, answers.fastest));
  const std::vector<double> limits = LimitsOf(problem, cost, num_answers, answers.fastest);
  if (answers.answers.size() != limits.size()) {
    return DataCorrupt("the integer program has " + std::to_string(answers.answers.size()) +
                       " answers, expected " + std::to_string(limits.size()));
  }
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const IntegerProgramAnswer& answer = answers.answers[i];
    const std::string who = "the integer program's answer " + std::to_string(i + 1);
    if (answer.max_latency_ratio != limits[i]) {
      return DataCorrupt(who + ": is for a latency ratio of " +
                         std::to_string(answer.max_latency_ratio) + ", expected " +
                         std::to_string(limits[i]));
    }
    BITPILOT_RETURN_IF_ERROR(check(who, limits[i], answer.choice));
  }
  return Status();
}

}  // namespace bitpilot

#include "policies/ilp.h"

#include <algorithm>
#include <cstdio>
#include <set>

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

std::string Reason(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, " at %.3fx latency", ratio);
  return std::string(kIlpReasonPrefix) + text;
}

}  // namespace

int NumIlpAnswers(const SearchProblem& problem) {
  return std::clamp(problem.max_measurements, 1, kNumIlpAnswers);
}

Result<std::vector<Proposal>> IlpAnswers(const SearchProblem& problem, const CostModel& cost,
                                         int num_answers) {
  BITPILOT_CHECK(num_answers >= 1);
  const BitAllocator allocator(problem, cost);
  const Result<Choice> fastest = allocator.MinimizeLatency();
  if (!fastest.ok()) {
    return InvalidArgument("budgets: " + fastest.status().message() +
                           "; raise a budget or allow narrower widths");
  }
  std::vector<Proposal> answers;
  std::set<Choice> seen;
  for (const double ratio : LatencyRatios(WithEnergyAsLatency(problem.budgets, cost),
                                          cost.LatencyRatio(*fastest), num_answers)) {
    const Result<Choice> choice = allocator.MinimizeLoss(ratio);
    // At its own ratio the fastest choice can miss the limit by a rounding of the grid.
    const Choice& answer = choice.ok() ? *choice : *fastest;
    if (seen.insert(answer).second) {
      answers.push_back({.choice = answer, .reason = Reason(ratio)});
    }
  }
  return answers;
}

}  // namespace bitpilot

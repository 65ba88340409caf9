#include "policies/moves.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "policies/bit_allocator.h"
#include "policies/index.h"

namespace bitpilot {
namespace {

// Latency of the operations, by the world; with an energy objective the mean of their latency and
// energy.
double CostOf(const CostModel& cost, const World& world, const Choice& choice,
              const std::vector<int>& operations) {
  double sum = 0.0;
  for (const int operation : operations) {
    const SearchedOperation& searched = cost.operations()[AsIndex(operation)];
    const double latency = world.latency_factor[AsIndex(operation)] * searched.LatencyRatio(choice);
    sum += world.energy_factor.empty() ? latency
                                       : 0.5 * (latency + world.energy_factor[AsIndex(operation)] *
                                                              searched.EnergyRatio(choice));
  }
  return sum;
}

// Sets `variable` to its best width, the others fixed. Returns its loss plus weighted latency.
double Minimize(const SearchProblem& problem, const CostModel& cost, const World& world,
                double nats_per_ratio, int variable, Choice& choice) {
  int best_width = 0;
  double best = std::numeric_limits<double>::infinity();
  for (const int width : problem.variables[AsIndex(variable)].widths) {
    choice[AsIndex(variable)] = width;
    const double value = world.loss[AsIndex(variable)][AsIndex(width)] +
                         nats_per_ratio * CostOf(cost, world, choice, cost.OperationsOf(variable));
    if (value < best) {
      best = value;
      best_width = width;
    }
  }
  choice[AsIndex(variable)] = best_width;
  return best;
}

// `variable`, or all variables of channels of its layer.
std::vector<int> MovedTogether(const SearchProblem& problem, int variable, RandomStream& random) {
  const DecisionVariable& moved = problem.variables[AsIndex(variable)];
  if (moved.channels.count == 0 || random.NextIndex(2) == 0) {
    return {variable};
  }
  std::vector<int> together;
  for (std::size_t i = 0; i < problem.variables.size(); ++i) {
    const DecisionVariable& other = problem.variables[i];
    if (other.kind == moved.kind && other.index == moved.index) {
      together.push_back(static_cast<int>(i));
    }
  }
  return together;
}

// The next legal width of `width`, in the other direction where there is none in this one.
int NextWidth(const std::vector<int>& widths, int width, bool wider) {
  const auto position = std::lower_bound(widths.begin(), widths.end(), width);
  const bool can_widen = position + 1 != widths.end();
  const bool can_narrow = position != widths.begin();
  if (!can_widen && !can_narrow) return width;
  return can_widen && (wider || !can_narrow) ? *(position + 1) : *(position - 1);
}

}  // namespace

Choice NeighbourMove(const SearchProblem& problem, const Choice& choice, RandomStream& random) {
  Choice moved = choice;
  const int changes = 1 + random.NextIndex(3);
  for (int change = 0; change < changes; ++change) {
    const int first = random.NextIndex(static_cast<int>(choice.size()));
    if (problem.variables[AsIndex(first)].widths.size() < 2) {
      continue;
    }
    const bool wider = random.NextIndex(2) == 1;
    for (const int variable : MovedTogether(problem, first, random)) {
      const auto i = AsIndex(variable);
      moved[i] = NextWidth(problem.variables[i].widths, choice[i], wider);
    }
  }
  return moved;
}

Choice Crossover(const Choice& a, const Choice& b, RandomStream& random) {
  Choice child = a;
  for (std::size_t i = 0; i < child.size(); ++i) {
    if (random.NextIndex(2) == 1) {
      child[i] = b[i];
    }
  }
  return child;
}

std::vector<Choice> SingleChanges(const SearchProblem& problem, const Choice& choice) {
  std::vector<Choice> changes;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    for (const int width : problem.variables[i].widths) {
      if (width != choice[i]) {
        changes.push_back(choice);
        changes.back()[i] = width;
      }
    }
  }
  return changes;
}

Choice BestChoice(const SearchProblem& problem, const CostModel& cost, const World& world,
                  double nats_per_ratio) {
  Choice best = UniformChoice(problem, 8);
  for (const VariableGroup& group : IndependentGroups(problem, cost)) {
    // The first variable's widths one by one; given it, the others do not see each other.
    const int first = group.variables.front();
    double best_value = std::numeric_limits<double>::infinity();
    Choice best_joint = best;
    for (const int width : problem.variables[AsIndex(first)].widths) {
      Choice joint = best;
      joint[AsIndex(first)] = width;
      for (std::size_t i = 1; i < group.variables.size(); ++i) {
        Minimize(problem, cost, world, nats_per_ratio, group.variables[i], joint);
      }
      double value = nats_per_ratio * CostOf(cost, world, joint, group.operations);
      for (const int variable : group.variables) {
        value += world.loss[AsIndex(variable)][AsIndex(joint[AsIndex(variable)])];
      }
      if (value < best_value) {
        best_value = value;
        best_joint = joint;
      }
    }
    best = best_joint;
  }
  return best;
}

}  // namespace bitpilot

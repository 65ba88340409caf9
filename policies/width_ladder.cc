#include "policies/width_ladder.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"

namespace bitpilot {
namespace {

constexpr int kCells = 2048;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

int ToCells(double cost, double cell) { return std::max(0, static_cast<int>(cost / cell + 0.5)); }

// What `width` costs more is the distance from `from` to `to`: where `from` plus its loss is lower than `to`,
// it is taken, and noted. All [count], none overlapping. Without a branch, which would be mispredicted all
// the time.
void Relax(const double* __restrict from, double loss, std::int8_t width, std::size_t count,
           double* __restrict to, std::int8_t* __restrict position) {
  for (std::size_t c = 0; c < count; ++c) {
    const double with = from[c] + loss;
    const int is_lower = with < to[c] ? 1 : 0;
    position[c] = static_cast<std::int8_t>(position[c] + is_lower * (width - position[c]));
    to[c] = std::min(to[c], with);
  }
}

}  // namespace

WidthLadder::WidthLadder(const SearchProblem& problem, const CostModel& cost)
    : problem_(problem),
      cost_(cost),
      index_(problem.variables),
      groups_(IndependentGroups(problem, cost)) {}

double WidthLadder::OperationCost(int operation, const Choice& choice,
                                  const CostFactors& factors) const {
  const SearchedOperation& searched = cost_.operations()[AsIndex(operation)];
  double cost = 0.0;
  if (!factors.latency.empty()) {
    cost += factors.latency[AsIndex(operation)] * searched.LatencyRatio(choice);
  }
  if (!factors.energy.empty()) {
    cost += factors.energy[AsIndex(operation)] * searched.EnergyRatio(choice);
  }
  return cost;
}

double WidthLadder::CostOf(const Choice& choice, const CostFactors& factors) const {
  double cost = factors.fixed;
  for (std::size_t operation = 0; operation < cost_.operations().size(); ++operation) {
    cost += OperationCost(static_cast<int>(operation), choice, factors);
  }
  return cost;
}

double WidthLadder::ShareOf(int operation, int variable, const Choice& choice,
                            const CostFactors& factors) const {
  const SearchedOperation& searched = cost_.operations()[AsIndex(operation)];
  const auto read = AsIndex(searched.ReadBits(choice));
  double latency = 0.0;
  double energy = 0.0;
  const auto add = [&](double share, int weight_bits) {
    latency += share * searched.latency_ratio[AsIndex(weight_bits)][read];
    energy += share * searched.energy_ratio[AsIndex(weight_bits)][read];
  };
  if (searched.activation_variable == variable) add(1.0, 0);
  for (const OperationPart& part : searched.parts) {
    if (part.variable == variable) add(part.share, choice[AsIndex(variable)]);
  }
  double cost = 0.0;
  if (!factors.latency.empty()) cost += factors.latency[AsIndex(operation)] * latency;
  if (!factors.energy.empty()) cost += factors.energy[AsIndex(operation)] * energy;
  return cost;
}

WidthLadder::Cells WidthLadder::CellsOf(int variable, Choice choice, const CostFactors& factors,
                                        double cell) const {
  Cells cells;
  for (const int width : index_.widths(variable)) {
    choice[AsIndex(variable)] = width;
    double cost = 0.0;
    for (const int operation : cost_.OperationsOf(variable)) {
      cost += ShareOf(operation, variable, choice, factors);
    }
    cells.push_back(ToCells(cost, cell));
  }
  return cells;
}

// best: [cells], lowest loss at exactly that cost; of the groups before, then with this one.
WidthLadder::GroupPass WidthLadder::Pass(const VariableGroup& group,
                                         const std::vector<double>& losses,
                                         const CostFactors& factors, double cell,
                                         std::vector<double>* best) const {
  const int first = group.variables.front();
  GroupPass pass;
  pass.first.assign(best->size(), -1);
  std::vector<double> joint(best->size(), kInfinity);
  Choice choice = UniformChoice(problem_, 8);
  const Cells first_cells = CellsOf(first, choice, factors, cell);
  for (std::size_t k = 0; k < first_cells.size(); ++k) {
    choice[AsIndex(first)] = index_.widths(first)[k];
    std::vector<Stage> stages;
    std::vector<double> now = *best;
    for (const int variable : group.variables) {
      Stage stage{.variable = variable,
                  .cost = CellsOf(variable, choice, factors, cell),
                  .position = std::vector<std::int8_t>(now.size(), -1)};
      std::vector<double> next(now.size(), kInfinity);
      for (std::size_t w = 0; w < stage.cost.size(); ++w) {
        if (variable == first && w != k) continue;
        const double loss = losses[AsIndex(index_.At(variable, static_cast<int>(w)))];
        const auto shift = AsIndex(stage.cost[w]);
        if (shift < now.size()) {
          Relax(now.data(), loss, static_cast<std::int8_t>(w), now.size() - shift,
                next.data() + shift, stage.position.data() + shift);
        }
      }
      now = std::move(next);
      stages.push_back(std::move(stage));
    }
    for (std::size_t c = 0; c < now.size(); ++c) {
      if (now[c] < joint[c]) {
        joint[c] = now[c];
        pass.first[c] = static_cast<std::int8_t>(k);
      }
    }
    pass.stages.push_back(std::move(stages));
  }
  *best = std::move(joint);
  return pass;
}

Choice WidthLadder::TraceBack(const std::vector<GroupPass>& passes, int cells) const {
  Choice choice(problem_.variables.size());
  for (auto pass = passes.rbegin(); pass != passes.rend(); ++pass) {
    const auto& stages = pass->stages[AsIndex(pass->first[AsIndex(cells)])];
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      const int position = stage->position[AsIndex(cells)];
      choice[AsIndex(stage->variable)] = index_.widths(stage->variable)[AsIndex(position)];
      cells -= stage->cost[AsIndex(position)];
    }
  }
  return choice;
}

std::vector<Choice> WidthLadder::Best(const std::vector<double>& losses, const CostFactors& factors,
                                      const std::vector<double>& limits) const {
  BITPILOT_CHECK(!limits.empty());
  const double room = *std::max_element(limits.begin(), limits.end()) - factors.fixed;
  BITPILOT_CHECK(room > 0.0);
  const double cell = room / kCells;
  std::vector<double> best(kCells + 1, kInfinity);
  best.front() = 0.0;
  std::vector<GroupPass> passes;
  passes.reserve(groups_.size());
  for (const VariableGroup& group : groups_) {
    passes.push_back(Pass(group, losses, factors, cell, &best));
  }
  // Lowest loss at that cost or less.
  std::vector<int> source(best.size(), -1);
  for (std::size_t c = 0; c < best.size(); ++c) {
    source[c] = c > 0 ? source[c - 1] : -1;
    if (best[c] < kInfinity && (source[c] < 0 || best[c] < best[AsIndex(source[c])])) {
      source[c] = static_cast<int>(c);
    }
  }
  std::vector<Choice> choices;
  for (const double limit : limits) {
    int c = std::clamp(static_cast<int>((limit - factors.fixed) / cell + 0.5), 0, kCells);
    // Cells round: step down until the cost itself is within the limit.
    while (c >= 0 && source[AsIndex(c)] >= 0 &&
           CostOf(TraceBack(passes, source[AsIndex(c)]), factors) > limit) {
      c = source[AsIndex(c)] - 1;
    }
    choices.push_back(c >= 0 && source[AsIndex(c)] >= 0 ? TraceBack(passes, source[AsIndex(c)])
                                                        : Cheapest(factors));
  }
  return choices;
}

Choice WidthLadder::Cheapest(const CostFactors& factors) const {
  Choice cheapest = UniformChoice(problem_, 8);
  for (const VariableGroup& group : groups_) {
    const int first = group.variables.front();
    double lowest = kInfinity;
    Choice joint = cheapest;
    for (const int width : index_.widths(first)) {
      joint[AsIndex(first)] = width;
      for (const int variable : group.variables) {
        double least = kInfinity;
        int best_width = joint[AsIndex(variable)];
        for (const int own : index_.widths(variable)) {
          if (variable == first) break;
          joint[AsIndex(variable)] = own;
          double cost = 0.0;
          for (const int operation : cost_.OperationsOf(variable)) {
            cost += OperationCost(operation, joint, factors);
          }
          if (cost < least) {
            least = cost;
            best_width = own;
          }
        }
        joint[AsIndex(variable)] = best_width;
      }
      double cost = 0.0;
      for (const int operation : group.operations) cost += OperationCost(operation, joint, factors);
      if (cost < lowest) {
        lowest = cost;
        cheapest = joint;
      }
    }
  }
  return cheapest;
}

}  // namespace bitpilot

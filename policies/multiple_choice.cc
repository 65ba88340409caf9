#include "policies/multiple_choice.h"

#include <Cbc_C_Interface.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

namespace bitpilot {
namespace {

using Groups = std::vector<std::vector<ChoiceOption>>;

// Steps of losses and costs. CBC takes 1e-6 of an option for none, which is then one step.
constexpr double kGrid = 0x1p20;

// For the last bits of a sum.
constexpr double kRoundingAllowance = 1.0 + 1e-12;

// The same of a sum in another order.
constexpr double kOtherOrderAllowance = 1.0 + 1e-9;

// Totals are whole steps, so a gap below one proves an optimum.
constexpr const char* kAllowableGap = "0.9";

struct DeleteModel {
  void operator()(Cbc_Model* model) const { Cbc_deleteModel(model); }
};
using ModelPtr = std::unique_ptr<Cbc_Model, DeleteModel>;

Status Validate(const Groups& groups, const std::vector<double>& limits) {
  const auto valid = [](double number) { return std::isfinite(number) && number >= 0.0; };
  if (groups.empty() || !std::all_of(limits.begin(), limits.end(), valid)) {
    return InvalidArgument("multiple choice: expected a group and limits that are not negative");
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const bool good = std::all_of(groups[g].begin(), groups[g].end(), [&](const auto& option) {
      return std::isfinite(option.loss) && option.costs.size() == limits.size() &&
             std::all_of(option.costs.begin(), option.costs.end(), valid);
    });
    if (groups[g].empty() || !good) {
      return InvalidArgument("multiple choice: group " + std::to_string(g) +
                             " needs options with a finite loss and " +
                             std::to_string(limits.size()) + " costs that are not negative");
    }
  }
  return Status();
}

double LowestLoss(const std::vector<ChoiceOption>& group) {
  double lowest = group.front().loss;
  for (const ChoiceOption& option : group) {
    lowest = std::min(lowest, option.loss);
  }
  return lowest;
}

double HighestLoss(const std::vector<ChoiceOption>& group) {
  double highest = group.front().loss;
  for (const ChoiceOption& option : group) {
    highest = std::max(highest, option.loss);
  }
  return highest;
}

// An option in whole steps, and where it came from.
struct GridOption {
  std::size_t index = 0;
  double loss = 0.0;
  std::vector<double> costs;
};

bool Dominates(const GridOption& a, const GridOption& b) {
  bool no_worse = a.loss <= b.loss;
  for (std::size_t r = 0; r < a.costs.size(); ++r) {
    no_worse = no_worse && a.costs[r] <= b.costs[r];
  }
  return no_worse && (a.loss != b.loss || a.costs != b.costs || a.index < b.index);
}

// The group's options that could be part of an optimum whose total loss, above the groups' lowest,
// is at most `loss_range`; none if every option alone breaks a limit.
std::vector<GridOption> ToGrid(const std::vector<ChoiceOption>& group,
                               const std::vector<double>& limits, double loss_range) {
  const double lowest = LowestLoss(group);
  std::vector<GridOption> options;
  for (std::size_t k = 0; k < group.size(); ++k) {
    const double loss = group[k].loss - lowest;
    GridOption option{.index = k, .loss = 0.0, .costs = {}};
    option.loss = loss_range > 0.0 ? std::round(loss / loss_range * kGrid) : 0.0;
    bool possible = loss <= loss_range;
    for (std::size_t r = 0; r < limits.size(); ++r) {
      const double share = limits[r] > 0.0 ? group[k].costs[r] / limits[r] : 0.0;
      option.costs.push_back(std::round(share * kGrid));
      possible = possible && group[k].costs[r] <= limits[r];
    }
    if (possible) {
      options.push_back(std::move(option));
    }
  }
  std::vector<GridOption> front;
  for (const GridOption& option : options) {
    if (std::none_of(options.begin(), options.end(),
                     [&](const GridOption& other) { return Dominates(other, option); })) {
      front.push_back(option);
    }
  }
  return front;
}

ModelPtr NewSilentModel() {
  ModelPtr model(Cbc_newModel());
  Cbc_setLogLevel(model.get(), 0);
  Cbc_setParameter(model.get(), "log", "0");
  Cbc_setParameter(model.get(), "threads", "0");
  Cbc_setParameter(model.get(), "ratioGap", "0");
  Cbc_setParameter(model.get(), "allowableGap", kAllowableGap);
  return model;
}

// One binary column for each option, group after group. Total costs may reach `limit_steps`.
ModelPtr BuildModel(const std::vector<std::vector<GridOption>>& groups, std::size_t num_limits,
                    double limit_steps) {
  ModelPtr model = NewSilentModel();
  std::vector<std::vector<double>> coefficients(num_limits);
  std::vector<int> columns;
  for (const std::vector<GridOption>& group : groups) {
    const std::size_t first = columns.size();
    for (const GridOption& option : group) {
      columns.push_back(static_cast<int>(columns.size()));
      Cbc_addCol(model.get(), "", 0.0, 1.0, option.loss, 1, 0, nullptr, nullptr);
      for (std::size_t r = 0; r < num_limits; ++r) {
        coefficients[r].push_back(option.costs[r]);
      }
    }
    const std::vector<double> ones(group.size(), 1.0);
    Cbc_addRow(model.get(), "", static_cast<int>(group.size()), &columns[first], ones.data(), 'E',
               1.0);
  }
  for (const std::vector<double>& row : coefficients) {
    Cbc_addRow(model.get(), "", static_cast<int>(row.size()), columns.data(), row.data(), 'L',
               limit_steps);
  }
  return model;
}

// Empty if CBC finds no combination.
OptionIndices Solve(const std::vector<std::vector<GridOption>>& grid, std::size_t num_limits,
                    double limit_steps) {
  const ModelPtr model = BuildModel(grid, num_limits, limit_steps);
  Cbc_solve(model.get());
  if (Cbc_isProvenOptimal(model.get()) == 0) {
    return {};
  }
  const double* solution = Cbc_getColSolution(model.get());
  OptionIndices chosen;
  for (const auto& group : grid) {
    chosen.push_back(group[std::max_element(solution, solution + group.size()) - solution].index);
    solution += group.size();
  }
  return chosen;
}

bool KeepsLimits(const Groups& groups, const std::vector<double>& limits,
                 const OptionIndices& chosen) {
  bool keeps = true;
  for (std::size_t r = 0; r < limits.size(); ++r) {
    double total = 0.0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      total += groups[g][chosen[g]].costs[r];
    }
    keeps = keeps && total <= limits[r] * kRoundingAllowance;
  }
  return keeps;
}

// The optimum on the grid of `loss_range`; empty if there is none.
OptionIndices SolveOnGrid(const Groups& groups, const std::vector<double>& limits,
                          double loss_range) {
  std::vector<std::vector<GridOption>> grid;
  for (const auto& group : groups) {
    grid.push_back(ToGrid(group, limits, loss_range));
    if (grid.back().empty()) {
      return {};
    }
  }
  // Rounding moves a total by half a step a group at most, CBC's tolerance by one or two steps
  // more. With that much room a combination that meets a limit exactly is found; without it, none
  // that breaks one.
  const double room = static_cast<double>(groups.size()) + 2.0;
  for (const double limit_steps : {kGrid + room, kGrid - room}) {
    OptionIndices chosen = Solve(grid, limits.size(), limit_steps);
    if (chosen.empty() || KeepsLimits(groups, limits, chosen)) {
      return chosen;
    }
  }
  return {};
}

}  // namespace

Status CheckOptimum(const Groups& groups, const std::vector<double>& limits, double loss,
                    const std::vector<double>& costs) {
  for (std::size_t r = 0; r < limits.size(); ++r) {
    if (costs[r] > limits[r] * kOtherOrderAllowance) {
      return DataCorrupt("breaks limit " + std::to_string(r + 1) + ": " + std::to_string(costs[r]) +
                         " > " + std::to_string(limits[r]));
    }
  }
  // A combination that comes nearer to a limit than this may be passed over by the one and found by
  // the other.
  const double steps = static_cast<double>(groups.size()) + 2.0;
  std::vector<double> cautious = limits;
  for (double& limit : cautious) {
    limit *= 1.0 - 2.0 * steps / kGrid;
  }
  const Result<OptionIndices> best = SolveMultipleChoice(groups, cautious);
  if (!best.ok()) {
    return best.status().code() == StatusCode::kNotFound ? Status() : best.status();
  }
  double lowest = 0.0;
  double range = 0.0;
  double best_loss = 0.0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    lowest += LowestLoss(groups[g]);
    range += HighestLoss(groups[g]) - LowestLoss(groups[g]);
    best_loss += groups[g][(*best)[g]].loss;
  }
  const double tolerance = 2.0 * steps / kGrid * (best_loss - lowest + range * steps / kGrid) +
                           1e-9 * std::abs(best_loss);
  if (loss <= best_loss + tolerance) {
    return Status();
  }
  return DataCorrupt("is no optimum: its total is " + std::to_string(loss) + ", another one's " +
                     std::to_string(best_loss));
}

std::string IntegerProgramSolver() { return "CBC " + std::string(Cbc_getVersion()); }

Result<OptionIndices> SolveMultipleChoice(const Groups& groups, const std::vector<double>& limits) {
  BITPILOT_RETURN_IF_ERROR(Validate(groups, limits));
  double range = 0.0;  // no total can exceed it
  for (const auto& group : groups) {
    range += HighestLoss(group) - LowestLoss(group);
  }
  const OptionIndices coarse = SolveOnGrid(groups, limits, range);
  if (coarse.empty()) {
    return Status(StatusCode::kNotFound, "multiple choice: no combination keeps all limits");
  }
  // An optimum that is small against the range has few steps; its own total is a finer grid's
  // range.
  double total = range * static_cast<double>(groups.size()) / kGrid;  // what rounding may hide
  for (std::size_t g = 0; g < groups.size(); ++g) {
    total += groups[g][coarse[g]].loss - LowestLoss(groups[g]);
  }
  const OptionIndices fine = SolveOnGrid(groups, limits, std::min(total, range));
  return fine.empty() ? coarse : fine;
}

}  // namespace bitpilot

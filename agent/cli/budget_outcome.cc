#include "agent/cli/budget_outcome.h"

#include <cmath>
#include <cstdio>
#include <optional>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// A budget and how a row's figure is read for it.
struct Limit {
  const char* flag;
  double limit;
  bool is_minimum;
  std::optional<double> (*figure)(const FinalRow&);

  // How far below the limit's good side the row is; negative if it keeps the budget.
  std::optional<double> Miss(const FinalRow& row) const {
    const std::optional<double> value = figure(row);
    if (!value) return std::nullopt;
    return is_minimum ? limit - *value : *value - limit;
  }
  bool IsKept(const FinalRow& row) const {
    const std::optional<double> miss = Miss(row);
    return miss && *miss <= 0.0;
  }
};

std::optional<double> EnergyRatioOf(const FinalRow& row) {
  if (row.energy_ratio) return row.energy_ratio->value;
  return row.model_energy_ratio;
}

std::vector<Limit> LimitsOf(const Budgets& budgets) {
  std::vector<Limit> limits;
  if (budgets.max_latency_ratio) {
    limits.push_back({"--max-latency", *budgets.max_latency_ratio, false,
                      [](const FinalRow& row) { return row.ratio; }});
  }
  if (budgets.max_energy_ratio) {
    limits.push_back({"--max-energy", *budgets.max_energy_ratio, false, EnergyRatioOf});
  }
  if (budgets.max_weight_bytes) {
    limits.push_back({"--max-size", static_cast<double>(*budgets.max_weight_bytes), false,
                      [](const FinalRow& row) -> std::optional<double> {
                        return static_cast<double>(row.weight_bytes);
                      }});
  }
  if (budgets.min_accuracy) {
    limits.push_back(
        {"--min-accuracy", *budgets.min_accuracy, true,
         [](const FinalRow& row) -> std::optional<double> { return row.test_accuracy; }});
  }
  return limits;
}

bool IsMeasuredCandidate(const FinalRow& row) {
  return row.origin != "reference" && row.latency_median_ns.has_value();
}

bool KeepsAllBut(const std::vector<Limit>& limits, const Limit& left_out, const FinalRow& row) {
  for (const Limit& limit : limits) {
    if (&limit != &left_out && !limit.IsKept(row)) return false;
  }
  return true;
}

// As a flag takes it: "0.513x", "17136", "0.871". Rounded so that the row keeps it.
std::string AsFlag(const BudgetDistance& distance, double value) {
  char text[48];
  if (distance.flag == "--max-size") {
    std::snprintf(text, sizeof text, "%.0f", value);
  } else if (distance.flag == "--min-accuracy") {
    std::snprintf(text, sizeof text, "%.4f", std::floor(value * 1e4) / 1e4);
  } else {
    std::snprintf(text, sizeof text, "%.3fx", std::ceil(value * 1e3) / 1e3);
  }
  return text;
}

}  // namespace

std::vector<BudgetDistance> DistancesTo(const Budgets& budgets, const FinalEvent& final) {
  const std::vector<Limit> limits = LimitsOf(budgets);
  std::vector<BudgetDistance> distances;
  for (const Limit& limit : limits) {
    BudgetDistance distance{limit.flag, limit.limit, {}, 0.0, {}, 0.0};
    std::optional<double> least;
    std::optional<double> least_alone;
    for (const FinalRow& row : final.rows) {
      const std::optional<double> miss = limit.Miss(row);
      if (!IsMeasuredCandidate(row) || !miss) continue;
      if (!least || *miss < *least) {
        least = miss;
        distance.nearest = row.label;
        distance.nearest_value = *limit.figure(row);
      }
      if ((least_alone && *miss >= *least_alone) || !KeepsAllBut(limits, limit, row)) continue;
      least_alone = miss;
      distance.alone = row.label;
      distance.alone_value = *limit.figure(row);
    }
    if (least) distances.push_back(std::move(distance));
  }
  return distances;
}

std::string DescribeMissedBudgets(const std::vector<BudgetDistance>& distances) {
  BITPILOT_CHECK(!distances.empty());
  std::string nearest;
  std::string giving;
  for (const BudgetDistance& one : distances) {
    nearest += (nearest.empty() ? "nearest to " : ", to ") + one.flag + " " +
               AsFlag(one, one.limit) + " is " + one.nearest + " with " +
               AsFlag(one, one.nearest_value);
    if (one.alone.empty()) continue;
    giving += (giving.empty() ? "" : ", or ") + one.flag + " " + AsFlag(one, one.alone_value) +
              " would take " + one.alone;
  }
  if (giving.empty()) giving = "no single budget can give: more than one is out of reach";
  return "no candidate kept the budget when it was measured again: " + nearest + "; " + giving;
}

}  // namespace bitpilot

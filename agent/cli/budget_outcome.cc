#include "agent/cli/budget_outcome.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "agent/study/chosen_rows.h"
#include "kernels/base/check.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

constexpr std::string_view kSizeFlag = "--max-size";
constexpr std::string_view kAccuracyFlag = "--min-accuracy";

// A budget and how a row's figure is read for it.
struct Limit {
  std::string_view flag;
  std::string_view measures;
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
    limits.push_back({"--max-latency", "latency", *budgets.max_latency_ratio, false,
                      [](const FinalRow& row) { return row.ratio; }});
  }
  if (budgets.max_energy_ratio) {
    limits.push_back({"--max-energy", "energy", *budgets.max_energy_ratio, false, EnergyRatioOf});
  }
  if (budgets.max_weight_bytes) {
    limits.push_back({kSizeFlag, "size", static_cast<double>(*budgets.max_weight_bytes), false,
                      [](const FinalRow& row) -> std::optional<double> {
                        return static_cast<double>(row.weight_bytes);
                      }});
  }
  if (budgets.min_accuracy) {
    limits.push_back(
        {kAccuracyFlag, "accuracy", *budgets.min_accuracy, true,
         [](const FinalRow& row) -> std::optional<double> { return BudgetedAccuracy(row); }});
  }
  return limits;
}

bool IsMeasuredCandidate(const FinalRow& row) {
  return !IsReference(row.role) && row.latency_median_ns.has_value();
}

bool KeepsAllBut(const std::vector<Limit>& limits, const Limit& left_out, const FinalRow& row) {
  for (const Limit& limit : limits) {
    if (&limit != &left_out && !limit.IsKept(row)) return false;
  }
  return true;
}

// Of a limit that no candidate has a figure for. Without uniform 8 bit's energy there are no ratios.
std::string WhyUnknown(const Limit& limit, const FinalEvent& final) {
  const auto told = std::find_if(final.rows.begin(), final.rows.end(),
                                 [](const FinalRow& row) { return !row.no_energy_reason.empty(); });
  return std::string(limit.measures) + " was not measured: " +
         (told == final.rows.end() ? "the board gave no reason" : told->no_energy_reason);
}

std::string Print(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// A limit as it was given, and a figure beside it: "0.7005x", "17136", "0.871".
std::string AsGiven(const BudgetDistance& distance, double value) {
  if (distance.flag == kSizeFlag) return Print("%.0f", value);
  return Print(distance.flag == kAccuracyFlag ? "%g" : "%gx", value);
}

// What the flag would have to be for a row with `value`: rounded so that the row keeps it.
std::string AsFlag(const BudgetDistance& distance, double value) {
  if (distance.flag == kSizeFlag) return Print("%.0f", value);
  if (distance.flag == kAccuracyFlag) return Print("%.4f", std::floor(value * 1e4) / 1e4);
  return Print("%.3fx", std::ceil(value * 1e3) / 1e3);
}

std::string DescribeNearest(const BudgetDistance& distance) {
  std::string text = distance.flag + " " + AsGiven(distance, distance.limit) + " is " +
                     distance.nearest + " with " + AsGiven(distance, distance.nearest_value);
  if (distance.nearest_test_accuracy) {
    text += " on validation images (" + Print("%g", *distance.nearest_test_accuracy) +
            " on test images)";
  }
  return text;
}

}  // namespace

std::vector<BudgetDistance> DistancesTo(const Budgets& budgets, const FinalEvent& final) {
  std::vector<BudgetDistance> distances;
  if (std::none_of(final.rows.begin(), final.rows.end(), IsMeasuredCandidate)) return distances;
  const std::vector<Limit> limits = LimitsOf(budgets);
  for (const Limit& limit : limits) {
    BudgetDistance distance;
    distance.flag = limit.flag;
    distance.limit = limit.limit;
    std::optional<double> least;
    std::optional<double> least_alone;
    for (const FinalRow& row : final.rows) {
      const std::optional<double> miss = limit.Miss(row);
      if (!IsMeasuredCandidate(row) || !miss) continue;
      if (!least || *miss < *least) {
        least = miss;
        distance.nearest = row.label;
        distance.nearest_value = *limit.figure(row);
        if (limit.flag == kAccuracyFlag && row.validation_accuracy) {
          distance.nearest_test_accuracy = row.test_accuracy;
        }
      }
      if ((least_alone && *miss >= *least_alone) || !KeepsAllBut(limits, limit, row)) continue;
      least_alone = miss;
      distance.alone = row.label;
      distance.alone_value = *limit.figure(row);
    }
    if (!least) distance.unknown = WhyUnknown(limit, final);
    distances.push_back(std::move(distance));
  }
  return distances;
}

bool IsAnyUnknown(const std::vector<BudgetDistance>& distances) {
  return std::any_of(distances.begin(), distances.end(),
                     [](const BudgetDistance& one) { return !one.unknown.empty(); });
}

std::string DescribeMissedBudgets(const std::vector<BudgetDistance>& distances) {
  BITPILOT_CHECK(!distances.empty());
  std::vector<std::string> unknown;
  std::string nearest;
  std::string giving;
  for (const BudgetDistance& one : distances) {
    if (!one.unknown.empty()) {
      unknown.push_back(one.flag + " " + AsGiven(one, one.limit) + ": " + one.unknown);
      continue;
    }
    nearest += (nearest.empty() ? "nearest to " : ", to ") + DescribeNearest(one);
    if (one.alone.empty()) continue;
    giving += (giving.empty() ? "" : ", or ") + one.flag + " " + AsFlag(one, one.alone_value) +
              " would take " + one.alone;
  }
  if (!unknown.empty()) {
    return "no candidate can be judged by " + Joined(unknown) +
           (nearest.empty() ? "" : "; " + nearest);
  }
  if (giving.empty()) giving = "no single budget can give: more than one is out of reach";
  return "no candidate kept the budget when it was measured again: " + nearest + "; " + giving;
}

}  // namespace bitpilot

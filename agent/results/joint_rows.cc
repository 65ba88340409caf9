#include "agent/results/joint_rows.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using Kind = ClassObjective::Kind;
using Rows = std::vector<const FinalRow*>;  // one a class

std::optional<double> MeanOf(const Rows& rows, std::optional<double> FinalRow::*figure) {
  double sum = 0.0;
  for (const FinalRow* row : rows) {
    if (!(row->*figure)) return std::nullopt;
    sum += *(row->*figure);
  }
  return sum / static_cast<double>(rows.size());
}

double MeanOf(const Rows& rows, double FinalRow::*figure) {
  double sum = 0.0;
  for (const FinalRow* row : rows) sum += row->*figure;
  return sum / static_cast<double>(rows.size());
}

std::optional<EnergyRatio> MeanEnergyRatio(const Rows& rows) {
  EnergyRatio mean;
  for (const FinalRow* row : rows) {
    if (!row->energy_ratio) return std::nullopt;
    mean.value += row->energy_ratio->value / static_cast<double>(rows.size());
    mean.uncertainty += row->energy_ratio->uncertainty / static_cast<double>(rows.size());
  }
  return mean;
}

FinalRow MeanRow(const Rows& rows) {
  FinalRow mean = *rows.front();
  mean.latency_median_ns = MeanOf(rows, &FinalRow::latency_median_ns);
  mean.ratio = MeanOf(rows, &FinalRow::ratio);
  mean.model_energy_ratio = MeanOf(rows, &FinalRow::model_energy_ratio);
  for (double FinalRow::*figure : {&FinalRow::latency_low_ns, &FinalRow::latency_high_ns,
                                   &FinalRow::ratio_low, &FinalRow::ratio_high}) {
    mean.*figure = MeanOf(rows, figure);
  }
  mean.energy_ratio = MeanEnergyRatio(rows);
  mean.energy.reset();
  mean.model_energy.reset();
  mean.model_energy_unit.clear();
  mean.kernels.clear();
  mean.measurement_id.clear();
  mean.on.clear();
  mean.board.clear();
  return mean;
}

const FinalRow& SlowestOf(const Rows& rows) {
  return **std::max_element(rows.begin(), rows.end(), [](const FinalRow* a, const FinalRow* b) {
    return a->ratio < b->ratio;
  });
}

// Where a class measured nothing, nothing is said of all.
FinalRow RowWithoutRatio(const FinalRow& failed) {
  FinalRow row = failed;
  row.latency_median_ns.reset();
  row.ratio.reset();
  row.latency_low_ns = row.latency_high_ns = row.ratio_low = row.ratio_high = 0.0;
  row.budget_met = false;
  return row;
}

// Of the worst of all classes.
void JudgeSpeed(const Rows& rows, FinalRow& joint) {
  const auto all = [&](auto holds) { return std::all_of(rows.begin(), rows.end(), holds); };
  if (!all([](const FinalRow* row) { return row->speed.has_value(); })) return;
  double largest = 0.0;
  double smallest_slower = 1.0;
  for (const FinalRow* row : rows) {
    largest = std::max(largest, row->speed_p_value);
    if (row->speed != Speed::kSlower) continue;
    joint.speed = Speed::kSlower;
    smallest_slower = std::min(smallest_slower, row->speed_p_value);
  }
  if (joint.speed == Speed::kSlower) {
    joint.speed_p_value = std::min(1.0, smallest_slower * static_cast<double>(rows.size()));
    return;
  }
  const bool is_faster = all([](const FinalRow* row) { return row->speed == Speed::kFaster; });
  joint.speed = is_faster ? Speed::kFaster : Speed::kNoDifference;
  joint.speed_p_value = largest;
}

void JudgeJointly(Kind kind, const Rows& rows, FinalRow& joint) {
  joint.speed.reset();
  joint.speed_p_value = 1.0;
  joint.as_fast_as.clear();
  if (kind == Kind::kWorst) JudgeSpeed(rows, joint);
  const auto all = [&](auto holds) { return std::all_of(rows.begin(), rows.end(), holds); };
  for (const int other : rows.front()->as_fast_as) {
    const bool nowhere = all([&](const FinalRow* row) {
      const std::vector<int>& equals = row->as_fast_as;
      return std::find(equals.begin(), equals.end(), other) != equals.end();
    });
    if (nowhere) joint.as_fast_as.push_back(other);
  }
}

FinalRow JointRow(Kind kind, const Rows& rows, const KeepsBudgetsOf& keeps_budgets) {
  const auto failed = std::find_if(rows.begin(), rows.end(), [](const FinalRow* row) {
    return !row->ratio || !row->latency_median_ns;
  });
  if (failed != rows.end()) return RowWithoutRatio(**failed);
  FinalRow joint = kind == Kind::kMean ? MeanRow(rows) : SlowestOf(rows);
  joint.budget_met = kind == Kind::kMean
                         ? keeps_budgets(joint)
                         : std::all_of(rows.begin(), rows.end(),
                                       [](const FinalRow* row) { return row->budget_met; });
  for (const FinalRow* row : rows) {
    if (row->measure_status != "NOISY") continue;
    joint.measure_status = row->measure_status;
    joint.measure_detail = row->on + ": " + row->measure_detail;
  }
  JudgeJointly(kind, rows, joint);
  return joint;
}

}  // namespace

std::vector<FinalRow> JointRows(const ClassObjective& objective,
                                const std::vector<ClassFinal>& classes,
                                const KeepsBudgetsOf& keeps_budgets) {
  BITPILOT_CHECK(!classes.empty());
  if (classes.size() == 1) return classes.front().rows;
  if (objective.kind == Kind::kOne) {
    const auto own = std::find_if(classes.begin(), classes.end(),
                                  [&](const ClassFinal& each) { return each.on == objective.on; });
    BITPILOT_CHECK(own != classes.end());
    return own->rows;
  }
  std::vector<FinalRow> joint;
  for (std::size_t i = 0; i < classes.front().rows.size(); ++i) {
    Rows rows;
    for (const ClassFinal& each : classes) rows.push_back(&each.rows[i]);
    joint.push_back(JointRow(objective.kind, rows, keeps_budgets));
  }
  return joint;
}

}  // namespace bitpilot

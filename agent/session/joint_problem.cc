#include "agent/session/joint_problem.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

// A class's table and what it says of uniform 8 bit.
struct ScaledTable {
  CostTable table;
  Cost uniform8;
};

Result<ScaledTable> Read(const Topology& topology, const ClassFacts& facts) {
  Result<CostTable> table = ParseCostTable(facts.table);
  if (!table.ok()) return table.status().WithContext("class " + facts.on);
  const Result<Cost> uniform8 = PredictCost(*table, topology, UniformAssignment(topology, 8, 8));
  if (!uniform8.ok()) return uniform8.status().WithContext("class " + facts.on);
  if (uniform8->latency_ns <= 0.0) {
    return InvalidArgument("class " + facts.on + ": its table gives uniform 8 bit no time");
  }
  return ScaledTable{std::move(*table), *uniform8};
}

}  // namespace

const ClassFacts& ScaleOf(const ClassObjective& objective, const std::vector<ClassFacts>& classes) {
  BITPILOT_CHECK(!classes.empty());
  if (objective.kind != ClassObjective::Kind::kOne) return classes.front();
  const auto own = std::find_if(classes.begin(), classes.end(),
                                [&](const ClassFacts& each) { return each.on == objective.on; });
  BITPILOT_CHECK(own != classes.end());
  return *own;
}

Result<CostTable> JointTable(const Topology& topology, const ClassObjective& objective,
                             const std::vector<ClassFacts>& classes) {
  const ClassFacts& scale = ScaleOf(objective, classes);
  if (objective.kind == ClassObjective::Kind::kOne) {
    Result<CostTable> own = ParseCostTable(scale.table);
    if (!own.ok()) return own.status().WithContext("class " + scale.on);
    return own;
  }
  std::vector<ScaledTable> tables;
  bool has_energy = true;
  for (const ClassFacts& facts : classes) {
    Result<ScaledTable> table = Read(topology, facts);
    if (!table.ok()) return table.status();
    has_energy = has_energy && table->uniform8.energy.value_or(0.0) > 0.0;
    tables.push_back(std::move(*table));
  }
  const Cost& unit = tables[static_cast<std::size_t>(&scale - classes.data())].uniform8;
  const auto share = 1.0 / static_cast<double>(tables.size());
  CostTable joint;
  joint.name = Joined(classes, &ClassFacts::on);
  joint.source = "mean over the classes, each as a ratio to its uniform 8 bit";
  if (has_energy) joint.energy_unit = "model";
  joint.operations = tables.front().table.operations;
  for (auto& [key, cost] : joint.operations) {
    cost = {0.0, has_energy ? std::optional(0.0) : std::nullopt};
  }
  for (const ScaledTable& one : tables) {
    const double latency_share = share * unit.latency_ns / one.uniform8.latency_ns;
    const double energy_share = has_energy ? share * *unit.energy / *one.uniform8.energy : 0.0;
    joint.overhead_latency_ns += latency_share * one.table.overhead_latency_ns;
    if (has_energy) joint.overhead_energy += energy_share * one.table.overhead_energy;
    std::erase_if(joint.operations, [&](const auto& row) {
      // What has no widths is free where it is not listed.
      return std::get<1>(row.first) != 0 && !one.table.operations.contains(row.first);
    });
    for (auto& [key, cost] : joint.operations) {
      const auto own = one.table.operations.find(key);
      if (own == one.table.operations.end()) continue;
      cost.latency_ns += latency_share * own->second.latency_ns;
      if (has_energy) *cost.energy += energy_share * own->second.energy.value_or(0.0);
    }
  }
  // Nor is it free because the first class does not list it.
  for (std::size_t i = 1; i < tables.size(); ++i) {
    const ScaledTable& one = tables[i];
    for (const auto& [key, cost] : one.table.operations) {
      if (std::get<1>(key) != 0 || tables.front().table.operations.contains(key)) continue;
      Cost& row = joint.operations
                      .try_emplace(key, Cost{0.0, has_energy ? std::optional(0.0) : std::nullopt})
                      .first->second;
      row.latency_ns += share * unit.latency_ns / one.uniform8.latency_ns * cost.latency_ns;
      if (has_energy) {
        *row.energy += share * *unit.energy / *one.uniform8.energy * cost.energy.value_or(0.0);
      }
    }
  }
  return joint;
}

}  // namespace bitpilot

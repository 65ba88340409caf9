#include "policies/choice_costs.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <variant>

#include "policies/actions.h"
#include "policies/class_objective.h"
#include "policies/transition.h"

namespace bitpilot {
namespace {

constexpr int kCostWorlds = 24;

struct MeanAndDeviation {
  double mean = 0.0;
  double deviation = 0.0;
};

MeanAndDeviation Summarize(const std::vector<double>& values) {
  MeanAndDeviation summary;
  for (const double value : values) summary.mean += value / static_cast<double>(values.size());
  double square = 0.0;
  for (const double value : values) {
    square += (value - summary.mean) * (value - summary.mean);
  }
  summary.deviation = std::sqrt(square / static_cast<double>(values.size()));
  return summary;
}

}  // namespace

ChoiceCosts::ChoiceCosts(const SearchProblem& problem, const CostModel& cost, const View& view,
                         const Surrogate& surrogate, RandomStream& random)
    : problem_(problem), cost_(cost), view_(view), link_(surrogate.MeanWorld().link) {
  for (int i = 0; i < kCostWorlds; ++i) worlds_.push_back(surrogate.SampleWorld(random));
}

bool ChoiceCosts::IsMeasured(const Choice& choice) const {
  const std::vector<ClassId> classes = view_.Classes();
  return !classes.empty() && std::all_of(classes.begin(), classes.end(), [&](const ClassId& on) {
    return view_.FindMeasured(choice, on) != nullptr;
  });
}

bool ChoiceCosts::IsBeingMeasured(const Choice& choice) const {
  return std::any_of(view_.in_flight().begin(), view_.in_flight().end(), [&](const Action& action) {
    const auto* trial = std::get_if<Trial>(&action);
    return trial != nullptr && !trial->classes.empty() && trial->what.choice == choice;
  });
}

TargetCost ChoiceCosts::Of(const Choice& choice) const {
  return IsMeasured(choice) ? MeasuredOf(choice) : PredictedOf(choice);
}

TargetUtility ChoiceCosts::UtilityOf(const std::vector<Choice>& choices) const {
  std::vector<TargetCost> costs;
  for (const Choice& choice : choices) costs.push_back(Of(choice));
  return TargetUtility(problem_, link_, std::move(costs));
}

TargetCost ChoiceCosts::MeasuredOf(const Choice& choice) const {
  std::vector<std::pair<ClassId, const Measured*>> measured;
  bool any_lacking = false;
  for (const auto& [on, slots] : view_.conditions()->slots) {
    if (const Measured* there = view_.FindMeasured(choice, on)) {
      measured.emplace_back(on, there);
    } else {
      any_lacking = any_lacking || Counts(problem_.class_objective, on);
    }
  }
  const std::optional<JointMeasured> joint = Join(problem_.class_objective, measured, any_lacking);
  if (!joint) return PredictedOf(choice);  // a class that counts has no board now
  TargetCost cost{.latency = joint->figures.ratio, .latency_deviation = joint->latency_deviation};
  if (problem_.energy_objective == EnergyObjective::kNone) return cost;
  const bool is_model = problem_.energy_objective == EnergyObjective::kModel;
  const std::optional<double>& energy =
      is_model ? joint->figures.model_energy_ratio : joint->figures.energy_ratio;
  if (energy) {
    cost.energy = *energy;
    cost.energy_deviation =
        is_model ? 0.0 : EnergyDeviation(joint->figures.energy_ratio_uncertainty);
  } else {  // not measured, or not on every class
    const TargetCost predicted = PredictedOf(choice);
    cost.energy = predicted.energy;
    cost.energy_deviation = predicted.energy_deviation;
  }
  return cost;
}

TargetCost ChoiceCosts::PredictedOf(const Choice& choice) const {
  const std::vector<double> latency = cost_.OperationLatencyRatios(choice);
  const std::vector<double> energy = cost_.OperationEnergyRatios(choice);
  std::vector<double> latencies;
  std::vector<double> energies;
  for (const World& world : worlds_) {
    const Objectives predicted = world.Predict(choice, latency, energy);
    latencies.push_back(predicted.latency_ratio);
    energies.push_back(predicted.energy_ratio);
  }
  const MeanAndDeviation of_latency = Summarize(latencies);
  TargetCost cost{.latency = of_latency.mean, .latency_deviation = of_latency.deviation};
  if (problem_.energy_objective != EnergyObjective::kNone) {
    const MeanAndDeviation of_energy = Summarize(energies);
    cost.energy = of_energy.mean;
    cost.energy_deviation = of_energy.deviation;
  }
  return cost;
}

}  // namespace bitpilot

#include "policies/class_objective.h"

#include <algorithm>
#include <variant>

#include "policies/transition.h"

namespace bitpilot {
namespace {

using Kind = ClassObjective::Kind;

// A figure that classes may lack: known where all know it.
class OptionalFigure {
 public:
  void Add(const std::optional<double>& value, double uncertainty) {
    if (!value) {
      is_lacking_ = true;
      return;
    }
    sum_ += *value;
    sum_uncertainty_ += uncertainty;
    if (count_++ == 0 || *value > largest_) {
      largest_ = *value;
      its_uncertainty_ = uncertainty;
    }
  }
  std::optional<double> value(Kind kind) const {
    if (count_ == 0 || is_lacking_) return std::nullopt;
    return kind == Kind::kMean ? sum_ / count_ : largest_;
  }
  double uncertainty(Kind kind) const {
    if (!value(kind)) return 0.0;
    return kind == Kind::kMean ? sum_uncertainty_ / count_ : its_uncertainty_;
  }

 private:
  double sum_ = 0.0;
  double sum_uncertainty_ = 0.0;
  double largest_ = 0.0;
  double its_uncertainty_ = 0.0;
  int count_ = 0;
  bool is_lacking_ = false;
};

JointMeasured MeanOf(const std::vector<const Measured*>& measured) {
  JointMeasured joint;
  Measured& mean = joint.figures;
  for (const Measured* each : measured) {
    mean.ratio += each->ratio;
    mean.ratio_low += each->ratio_low;
    mean.ratio_high += each->ratio_high;
    mean.is_noisy = mean.is_noisy || each->is_noisy;
    joint.latency_deviation += LatencyDeviation(*each);
  }
  const auto count = static_cast<double>(measured.size());
  for (double* sum : {&mean.ratio, &mean.ratio_low, &mean.ratio_high, &joint.latency_deviation}) {
    *sum /= count;
  }
  return joint;
}

JointMeasured SlowestOf(const std::vector<const Measured*>& measured) {
  const Measured& slowest =
      **std::max_element(measured.begin(), measured.end(),
                         [](const Measured* a, const Measured* b) { return a->ratio < b->ratio; });
  return {slowest, LatencyDeviation(slowest)};
}

}  // namespace

bool Counts(const ClassObjective& objective, const ClassId& on) {
  return objective.kind != Kind::kOne || objective.on == on;
}

std::optional<JointMeasured> Join(const ClassObjective& objective,
                                  const std::vector<std::pair<ClassId, const Measured*>>& measured,
                                  bool any_lacking) {
  if (any_lacking) return std::nullopt;
  std::vector<const Measured*> counted;
  for (const auto& [on, figures] : measured) {
    if (Counts(objective, on)) counted.push_back(figures);
  }
  if (counted.empty()) return std::nullopt;
  JointMeasured joint = objective.kind == Kind::kMean ? MeanOf(counted) : SlowestOf(counted);
  OptionalFigure energy;
  OptionalFigure model_energy;
  for (const Measured* each : counted) {
    energy.Add(each->energy_ratio, each->energy_ratio_uncertainty);
    model_energy.Add(each->model_energy_ratio, 0.0);
  }
  joint.figures.energy_ratio = energy.value(objective.kind);
  joint.figures.energy_ratio_uncertainty = energy.uncertainty(objective.kind);
  joint.figures.model_energy_ratio = model_energy.value(objective.kind);
  return joint;
}

std::optional<JointMeasured> JointOf(const ClassObjective& objective, const TrialOutcome& outcome) {
  std::vector<std::pair<ClassId, const Measured*>> measured;
  bool any_lacking = false;
  for (const ClassOutcome& one : outcome.classes) {
    if (const auto* figures = std::get_if<Measured>(&one.result)) {
      measured.emplace_back(one.on, figures);
    } else {
      any_lacking = any_lacking || Counts(objective, one.on);
    }
  }
  return Join(objective, measured, any_lacking);
}

}  // namespace bitpilot

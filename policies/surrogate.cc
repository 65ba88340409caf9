#include "policies/surrogate.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "policies/acquisition.h"
#include "policies/index.h"
#include "policies/plain_math.h"
#include "policies/reward.h"

namespace bitpilot {
namespace {

constexpr std::size_t kMaxTransitions = 256;

// Spread of the prior, relative to what probe and table say.
constexpr double kAllLossSpread = 0.5;       // probes miss what all errors do together
constexpr double kVariableLossSpread = 0.5;  // a probe's log-normal error, sigma about 0.5
constexpr double kWidthLossSpread = 0.25;
constexpr double kTrainingOffsetSpread = 0.1;  // nats; training moves all choices
constexpr double kFixedCostSpread = 0.08;      // of uniform 8 bit: time that no operation owns
constexpr double kAllCostSpread = 0.08;
constexpr double kOperationCostSpread = 0.15;

// Noise of one observation: absolute, and relative for what an additive model cannot say. Of a ratio
// that was measured no less; more where its interval is wider.
constexpr double kLossNoise = 0.01;
constexpr double kRelativeLossNoise = 0.1;
constexpr double kRelativeLatencyNoise = 0.01;
constexpr double kRelativeEnergyNoise = 0.02;

// What one choice's latency differs by from all that the latency model can say, relative:
// measurement noise and the table's error at a pair of widths that was never tried.
constexpr double kLatencyMisfit = 0.01;

// A transition `age` steps old counts kForgetting^age while training, which moves the losses.
constexpr double kForgetting = 0.95;

constexpr double kPriorRate = 0.45;       // error rate over loss of CIFAR networks, per nat
constexpr double kRatePriorWeight = 4.0;  // against squared residuals in units of their noise

double SmallestSpread(const SearchProblem& problem) {
  double sum = 0.0;
  for (const DecisionVariable& variable : problem.variables) {
    sum += std::max(0.0, variable.sensitivity.front());
  }
  return 1e-4 + 0.001 * sum / static_cast<double>(problem.variables.size());
}

// Rate that best explains error rates by losses, from a grid: evenly spaced in the logarithm, 1/16
// to 16 times the prior's.
double FitRate(ErrorLink link, const std::vector<Transition>& history, double reference_loss) {
  double best_rate = kPriorRate;
  double best_cost = 0.0;
  for (int step = -32; step <= 32; ++step) {
    const double log_factor = 0.0866 * step;  // ln 16 / 32
    link.rate = kPriorRate * PlainExp(log_factor);
    double cost = kRatePriorWeight * log_factor * log_factor;
    for (const Transition& transition : history) {
      const double error_rate = 1.0 - transition.accuracy;
      const double residual = error_rate - link.ErrorRate(transition.loss - reference_loss);
      const double noise = 0.01 + 0.1 * std::abs(error_rate - link.reference);
      cost += residual * residual / (noise * noise);
    }
    if (step == -32 || cost < best_cost) {
      best_cost = cost;
      best_rate = link.rate;
    }
  }
  return best_rate;
}

ErrorLink FitLink(const SearchProblem& problem, const std::vector<Transition>& history) {
  const double classes = std::max(2, problem.topology.operations.back().out_channels);
  ErrorLink link;
  link.reference = 1.0 - AnchoredReference(problem).accuracy;
  link.ceiling = std::max(0.05, 1.0 - 1.0 / classes - link.reference);
  link.rate = FitRate(link, history, AnchoredReference(problem).loss);
  return link;
}

// What the table says of one kind of cost (time or energy) of one choice.
struct TableCost {
  double ratio = 0.0;
  std::vector<double> operation_ratios;
};

TableCost LatencyByTable(const CostModel& cost, const Choice& choice) {
  return {cost.LatencyRatio(choice), cost.OperationLatencyRatios(choice)};
}

TableCost EnergyByTable(const CostModel& cost, const Choice& choice) {
  TableCost energy{cost.fixed_energy_ratio(), cost.OperationEnergyRatios(choice)};
  for (const double ratio : energy.operation_ratios) {
    energy.ratio += ratio;
  }
  return energy;
}

// Feature 0: every choice alike, 1: in proportion to the prediction, then one for each operation.
SparseFeatures CostFeatures(const TableCost& cost) {
  SparseFeatures features = {{0, kFixedCostSpread}, {1, kAllCostSpread * cost.ratio}};
  for (std::size_t i = 0; i < cost.operation_ratios.size(); ++i) {
    features.emplace_back(2 + static_cast<int>(i), kOperationCostSpread * cost.operation_ratios[i]);
  }
  return features;
}

// Ratios that were measured, as corrections of what the table says. A choice that was measured gets the
// same figures again (policies/environment.h): they count once.
class CostObservations {
 public:
  explicit CostObservations(double relative_noise) : relative_noise_(relative_noise) {}

  // deviation: of the measurement, by its interval.
  void Add(const Choice& choice, const TableCost& cost, double ratio, double deviation) {
    if (!known_.emplace(choice, ratio).second) return;
    const double noise = std::max(relative_noise_ * ratio, deviation);
    rows_.push_back(CostFeatures(cost));
    targets_.push_back(ratio - cost.ratio);
    variances_.push_back(noise * noise);
  }

  RidgePosterior Fit(std::size_t num_operations) {
    return RidgePosterior(2 + static_cast<int>(num_operations), std::move(rows_),
                          std::move(targets_), std::move(variances_));
  }

 private:
  double relative_noise_;
  std::set<std::pair<Choice, double>> known_;
  std::vector<SparseFeatures> rows_;
  std::vector<double> targets_;
  std::vector<double> variances_;
};

// One factor for each operation, from the posterior's weights.
std::vector<double> OperationFactors(const std::vector<double>& weights,
                                     std::size_t num_operations) {
  const double all = 1.0 + kAllCostSpread * weights[1];
  std::vector<double> factors;
  for (std::size_t i = 0; i < num_operations; ++i) {
    factors.push_back(std::max(0.05, all + kOperationCostSpread * weights[2 + i]));
  }
  return factors;
}

double FixedRatio(const std::vector<double>& weights, double by_table) {
  return (1.0 + kAllCostSpread * weights[1]) * by_table + kFixedCostSpread * weights[0];
}

std::vector<Transition> Recent(const std::vector<Transition>& history) {
  const std::size_t skipped = history.size() - std::min(history.size(), kMaxTransitions);
  return {history.begin() + static_cast<std::ptrdiff_t>(skipped), history.end()};
}

}  // namespace

double ErrorLink::ErrorRate(double loss_increase) const {
  return reference + ceiling * (1.0 - PlainExp(-rate * loss_increase));
}

double ErrorLink::LossIncrease(double error_rate) const {
  const double share = std::clamp((error_rate - reference) / ceiling, -1.0, 0.98);
  return -PlainLog(1.0 - share) / rate;
}

double World::LossIncrease(const Choice& choice) const {
  double sum = loss_offset;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    sum += loss[i][AsIndex(choice[i])];
  }
  return sum;
}

Objectives World::Predict(const Choice& choice, const std::vector<double>& latency_ratios,
                          const std::vector<double>& energy_ratios) const {
  double latency_ratio = fixed_latency_ratio;
  for (std::size_t i = 0; i < latency_factor.size(); ++i) {
    latency_ratio += latency_factor[i] * latency_ratios[i];
  }
  double energy_ratio = fixed_energy_ratio;
  for (std::size_t i = 0; i < energy_factor.size(); ++i) {
    energy_ratio += energy_factor[i] * energy_ratios[i];
  }
  return {.error_rate = link.ErrorRate(LossIncrease(choice)),
          .latency_ratio = latency_ratio,
          .energy_ratio = energy_ratio};
}

Surrogate::Surrogate(const SearchProblem& problem, const CostModel& cost,
                     const std::vector<Transition>& history)
    : problem_(problem),
      cost_(cost),
      prior_loss_(problem.variables.size()),
      loss_spread_(problem.variables.size()),
      link_(FitLink(problem, Recent(history))),
      loss_(0, {}, {}, {}),
      latency_(0, {}, {}, {}),
      energy_(0, {}, {}, {}) {
  const double smallest = SmallestSpread(problem);
  for (std::size_t i = 0; i < problem.variables.size(); ++i) {
    const DecisionVariable& variable = problem.variables[i];
    for (std::size_t k = 0; k < variable.widths.size(); ++k) {
      const std::size_t width = AsIndex(variable.widths[k]);
      prior_loss_[i][width] = variable.sensitivity[k];
      loss_spread_[i][width] = std::abs(variable.sensitivity[k]) + (width == 8 ? 0.0 : smallest);
    }
  }
  loss_ = FitLoss(Recent(history));
  latency_ = FitLatency(Recent(history));
  if (problem.energy_objective != EnergyObjective::kNone) {
    energy_ = FitEnergy(Recent(history));
  }
}

// Feature 0: offset, 1: all variables, then one for each variable, then nine for each variable.
SparseFeatures Surrogate::LossFeatures(const Choice& choice) const {
  const int count = static_cast<int>(choice.size());
  SparseFeatures features;
  if (problem_.batches_per_step > 0) {
    features.emplace_back(0, kTrainingOffsetSpread);
  }
  double sum = 0.0;
  for (int i = 0; i < count; ++i) {
    const int width = choice[AsIndex(i)];
    const double spread = loss_spread_[AsIndex(i)][AsIndex(width)];
    sum += spread;
    features.emplace_back(2 + i, kVariableLossSpread * spread);
    features.emplace_back(2 + count + 9 * i + width, kWidthLossSpread * spread);
  }
  features.emplace_back(1, kAllLossSpread * sum);
  return features;
}

RidgePosterior Surrogate::FitLoss(const std::vector<Transition>& history) const {
  const int num_features = 2 + 10 * static_cast<int>(problem_.variables.size());
  const double reference_loss = AnchoredReference(problem_).loss;
  std::vector<SparseFeatures> rows;
  std::vector<double> targets;
  std::vector<double> variances;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Choice& choice = history[i].choice;
    const double by_loss = link_.ErrorRate(history[i].loss - reference_loss);
    const double by_error = 1.0 - history[i].accuracy;
    const double increase = link_.LossIncrease(0.5 * (by_loss + by_error));
    double prior = 0.0;
    for (std::size_t v = 0; v < choice.size(); ++v) {
      prior += prior_loss_[v][AsIndex(choice[v])];
    }
    const double age = static_cast<double>(history.size() - 1 - i);
    const double forgotten =
        problem_.batches_per_step > 0 ? PlainExp(-age * PlainLog(kForgetting)) : 1.0;
    const double noise = kLossNoise + kRelativeLossNoise * std::abs(increase);
    rows.push_back(LossFeatures(choice));
    targets.push_back(increase - prior);
    const double deviation = history[i].loss_deviation;
    variances.push_back((noise * noise + deviation * deviation) * forgotten);
  }
  return RidgePosterior(num_features, std::move(rows), std::move(targets), std::move(variances));
}

RidgePosterior Surrogate::FitLatency(const std::vector<Transition>& history) const {
  CostObservations observations(kRelativeLatencyNoise);
  const Choice uniform8 = UniformChoice(problem_, 8);
  observations.Add(uniform8, LatencyByTable(cost_, uniform8), cost_.LatencyRatio(uniform8),
                   /*deviation=*/0.0);
  for (const Transition& transition : history) {
    if (transition.latency_ns) {
      observations.Add(transition.choice, LatencyByTable(cost_, transition.choice),
                       *transition.latency_ns / problem_.uniform8.latency_ns,
                       transition.latency_deviation_ns / problem_.uniform8.latency_ns);
    }
  }
  return observations.Fit(cost_.operations().size());
}

RidgePosterior Surrogate::FitEnergy(const std::vector<Transition>& history) const {
  CostObservations observations(kRelativeEnergyNoise);
  const Choice uniform8 = UniformChoice(problem_, 8);
  const TableCost by_table = EnergyByTable(cost_, uniform8);
  observations.Add(uniform8, by_table, by_table.ratio, /*deviation=*/0.0);
  for (const Transition& transition : history) {
    if (const std::optional<double> energy = ObjectiveEnergy(problem_, transition)) {
      const double uncertainty = problem_.energy_objective == EnergyObjective::kMeasured
                                     ? transition.energy_ratio_uncertainty
                                     : 0.0;
      observations.Add(transition.choice, EnergyByTable(cost_, transition.choice), *energy,
                       EnergyDeviation(uncertainty));
    }
  }
  return observations.Fit(cost_.operations().size());
}

World Surrogate::ToWorld(const std::vector<double>& loss_weights,
                         const std::vector<double>& latency_weights) const {
  World world;
  world.link = link_;
  const std::size_t count = problem_.variables.size();
  world.loss_offset = problem_.batches_per_step > 0 ? kTrainingOffsetSpread * loss_weights[0] : 0.0;
  world.loss.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double shared =
        kAllLossSpread * loss_weights[1] + kVariableLossSpread * loss_weights[2 + i];
    for (const int bits : problem_.variables[i].widths) {
      const std::size_t width = AsIndex(bits);
      const double factor = shared + kWidthLossSpread * loss_weights[2 + count + 9 * i + width];
      // A narrower width never helps by itself; noise in the fit must not promise that it does.
      world.loss[i][width] = std::max(std::min(0.0, prior_loss_[i][width]),
                                      prior_loss_[i][width] + factor * loss_spread_[i][width]);
    }
  }
  world.fixed_latency_ratio = FixedRatio(latency_weights, cost_.fixed_latency_ratio());
  world.latency_factor = OperationFactors(latency_weights, cost_.operations().size());
  return world;
}

void Surrogate::AddEnergy(const std::vector<double>& energy_weights, World& world) const {
  world.fixed_energy_ratio = FixedRatio(energy_weights, cost_.fixed_energy_ratio());
  world.energy_factor = OperationFactors(energy_weights, cost_.operations().size());
}

World Surrogate::MeanWorld() const {
  World world = ToWorld(loss_.Mean(), latency_.Mean());
  if (problem_.energy_objective != EnergyObjective::kNone) {
    AddEnergy(energy_.Mean(), world);
  }
  return world;
}

World Surrogate::SampleWorld(RandomStream& random) const {
  const std::vector<double> loss_weights = loss_.Sample(random);
  World world = ToWorld(loss_weights, latency_.Sample(random));
  const double misfit = 1.0 + kLatencyMisfit * random.NextNormal();
  world.fixed_latency_ratio *= misfit;
  for (double& factor : world.latency_factor) {
    factor *= misfit;
  }
  if (problem_.energy_objective != EnergyObjective::kNone) {
    AddEnergy(energy_.Sample(random), world);
  }
  return world;
}

}  // namespace bitpilot

#include "agent/profile/fit_energy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr std::size_t kNumTerms = 3;
using Terms = std::array<double, kNumTerms>;  // time in ns, products, weight bytes

// One network: its terms and its energy.
struct MeasuredNetwork {
  Terms terms{};
  double energy_uj = 0.0;
};

double Products(double macs, int weight_bits, int activation_bits) {
  return macs * weight_bits * activation_bits / 64.0;
}

Result<Terms> TermsOf(const Topology& topology, const CostTable& table,
                      const BitAssignment& assignment) {
  const Result<Cost> cost = PredictCost(table, topology, assignment);
  if (!cost.ok()) return cost.status();
  Terms terms{cost->latency_ns, 0.0, 0.0};
  const std::vector<int> layers = LayerOperations(topology);
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const Operation& op = topology.operations[static_cast<std::size_t>(layers[layer])];
    const int read_bits = assignment.activation_bits[static_cast<std::size_t>(op.input)];
    const auto macs = static_cast<double>(Macs(topology, layers[layer]));
    const auto depth = static_cast<double>(WeightDepth(topology, layers[layer]));
    for (const ChannelRun& run : assignment.weight_bits[layer]) {
      const double share = static_cast<double>(run.channels) / op.out_channels;
      terms[1] += Products(share * macs, run.bits, read_bits);
      terms[2] += depth * run.channels * run.bits / 8.0;
    }
  }
  return terms;
}

// Normal equations of the terms in `columns`, whose coefficients make the sum of squared relative
// errors least; each term in units of `scale`, so that pivots compare.
struct NormalEquations {
  std::vector<std::size_t> columns;
  Terms scale{};
  std::array<std::array<double, kNumTerms + 1>, kNumTerms> rows{};
};

// used: a bit a term.
NormalEquations SetUp(std::span<const MeasuredNetwork> observations, unsigned used) {
  NormalEquations equations;
  for (std::size_t term = 0; term < kNumTerms; ++term) {
    if ((used >> term & 1U) != 0) equations.columns.push_back(term);
    for (const MeasuredNetwork& one : observations) {
      equations.scale[term] +=
          one.terms[term] / one.energy_uj / static_cast<double>(observations.size());
    }
  }
  const std::size_t count = equations.columns.size();
  for (const MeasuredNetwork& one : observations) {
    std::array<double, kNumTerms> row{};
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t term = equations.columns[i];
      row[i] = one.terms[term] / one.energy_uj / equations.scale[term];
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < count; ++j) equations.rows[i][j] += row[i] * row[j];
      equations.rows[i][count] += row[i];
    }
  }
  return equations;
}

// Gauss elimination with pivots; false if the terms do not tell each other apart.
bool Eliminate(NormalEquations& equations) {
  const std::size_t count = equations.columns.size();
  const double smallest_pivot = 1e-9 * equations.rows[0][0];
  auto& rows = equations.rows;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t below = i + 1; below < count; ++below) {
      if (std::abs(rows[below][i]) > std::abs(rows[i][i])) std::swap(rows[below], rows[i]);
    }
    if (!(std::abs(rows[i][i]) > smallest_pivot)) return false;
    for (std::size_t below = i + 1; below < count; ++below) {
      const double factor = rows[below][i] / rows[i][i];
      for (std::size_t j = i; j <= count; ++j) rows[below][j] -= factor * rows[i][j];
    }
  }
  return true;
}

// Coefficients of all terms, those outside `used` 0; nullopt if there is no solution without a
// negative one.
std::optional<Terms> Solve(std::span<const MeasuredNetwork> observations, unsigned used) {
  NormalEquations equations = SetUp(observations, used);
  if (!Eliminate(equations)) return std::nullopt;
  const std::size_t count = equations.columns.size();
  std::array<double, kNumTerms> scaled{};
  Terms solution{};
  for (std::size_t i = count; i-- > 0;) {
    double value = equations.rows[i][count];
    for (std::size_t j = i + 1; j < count; ++j) value -= equations.rows[i][j] * scaled[j];
    scaled[i] = value / equations.rows[i][i];
    if (!(scaled[i] >= 0.0)) return std::nullopt;
    solution[equations.columns[i]] = scaled[i] / equations.scale[equations.columns[i]];
  }
  return solution;
}

double Predict(const Terms& coefficients, const Terms& terms) {
  double energy_uj = 0.0;
  for (std::size_t i = 0; i < kNumTerms; ++i) energy_uj += coefficients[i] * terms[i];
  return energy_uj;
}

// Relative errors, each of what `fit` makes of all other observations; empty if it cannot fit some
// of them.
using FitFunction = std::function<std::optional<Terms>(std::span<const MeasuredNetwork>)>;
std::vector<double> HeldOutErrors(std::span<const MeasuredNetwork> observations,
                                  const FitFunction& fit) {
  std::vector<double> errors;
  for (std::size_t held_out = 0; held_out < observations.size(); ++held_out) {
    std::vector<MeasuredNetwork> rest(observations.begin(), observations.end());
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(held_out));
    const std::optional<Terms> coefficients = fit(rest);
    if (!coefficients) return {};
    const MeasuredNetwork& one = observations[held_out];
    errors.push_back(Predict(*coefficients, one.terms) / one.energy_uj - 1.0);
  }
  return errors;
}

double RootMeanSquare(const std::vector<double>& errors) {
  double sum = 0.0;
  for (const double error : errors) sum += error * error;
  return std::sqrt(sum / static_cast<double>(errors.size()));
}

// The set of terms whose held-out errors are smallest, fitted to all observations; nullopt if no
// set determines a fit.
std::optional<Terms> FitBestTerms(std::span<const MeasuredNetwork> observations) {
  double least = std::numeric_limits<double>::infinity();
  std::optional<Terms> best;
  for (unsigned used = 1; used < 1U << kNumTerms; ++used) {
    const std::vector<double> held_out =
        HeldOutErrors(observations, [used](auto rest) { return Solve(rest, used); });
    const std::optional<Terms> fit = Solve(observations, used);
    if (held_out.empty() || !fit || !(RootMeanSquare(held_out) < least)) continue;
    least = RootMeanSquare(held_out);
    best = fit;
  }
  return best;
}

double RSquared(std::span<const MeasuredNetwork> observations, const Terms& fit) {
  double mean = 0.0;
  for (const MeasuredNetwork& one : observations) {
    mean += one.energy_uj / static_cast<double>(observations.size());
  }
  double residual = 0.0;
  double total = 0.0;
  for (const MeasuredNetwork& one : observations) {
    residual += std::pow(Predict(fit, one.terms) - one.energy_uj, 2);
    total += std::pow(one.energy_uj - mean, 2);
  }
  return total > 0.0 ? 1.0 - residual / total : 0.0;
}

Status RequireOneSensor(std::span<const EnergySample> samples) {
  for (const EnergySample& sample : samples) {
    const MeasuredEnergy& first = samples.front().energy;
    if (sample.energy.sensor() != first.sensor() || sample.energy.source() != first.source()) {
      return InvalidArgument("energies of " + first.source() + " and of " + sample.energy.source() +
                             " do not fit together: what they see differs");
    }
  }
  return {};
}

Result<std::vector<MeasuredNetwork>> Observe(const Topology& topology, const CostTable& table,
                                             std::span<const EnergySample> samples) {
  std::map<std::string, std::pair<Terms, std::vector<double>>> networks;
  for (const EnergySample& sample : samples) {
    const Result<Terms> terms = TermsOf(topology, table, sample.assignment);
    if (!terms.ok()) return terms.status();
    auto& [network_terms, energies_uj] = networks[CanonicalText(sample.assignment)];
    network_terms = *terms;
    energies_uj.push_back(sample.energy.gross().value_uj);
  }
  if (networks.size() < static_cast<std::size_t>(kMinFittedNetworks)) {
    return InvalidArgument("a fit needs the measured energies of at least " +
                           std::to_string(kMinFittedNetworks) + " different assignments, got " +
                           std::to_string(networks.size()));
  }
  std::vector<MeasuredNetwork> observations;
  observations.reserve(networks.size());
  for (const auto& [assignment, network] : networks) {
    observations.push_back({network.first, Median(network.second)});
  }
  return observations;
}

}  // namespace

Result<EnergyFit> FitEnergy(const Topology& topology, const CostTable& table,
                            std::span<const EnergySample> samples) {
  BITPILOT_RETURN_IF_ERROR(RequireOneSensor(samples));
  const Result<std::vector<MeasuredNetwork>> observations = Observe(topology, table, samples);
  if (!observations.ok()) return observations.status();
  const std::optional<Terms> best = FitBestTerms(*observations);
  // Whoever is held out takes no part in the choice of the terms either: the smallest of seven
  // sets' errors would flatter.
  const std::vector<double> errors = HeldOutErrors(*observations, FitBestTerms);
  if (!best || errors.empty()) {
    return InvalidArgument("the measured energies do not determine a fit");
  }
  std::vector<double> sensor_errors;
  for (const EnergySample& sample : samples) {
    sensor_errors.push_back(sample.energy.gross().uncertainty_uj / sample.energy.gross().value_uj);
  }
  const MeasuredEnergy& sensor = samples.front().energy;
  EnergyFit result;
  result.uj_per_ns = (*best)[0];
  result.uj_per_product = (*best)[1];
  result.uj_per_weight_byte = (*best)[2];
  const int degrees_of_freedom = static_cast<int>(errors.size() - kNumTerms);
  result.relative_error =
      std::hypot(StudentT95(degrees_of_freedom) * RootMeanSquare(errors), Median(sensor_errors));
  for (const double error : errors) {
    result.worst_relative_error = std::max(result.worst_relative_error, std::abs(error));
  }
  result.r_squared = RSquared(*observations, *best);
  result.num_networks = static_cast<int>(observations->size());
  result.sensor = std::string(ToString(TierOf(sensor.sensor()))) + " " + sensor.source();
  return result;
}

CostTable WithFittedEnergies(const Topology& topology, CostTable table, const EnergyFit& fit) {
  char text[96];
  std::snprintf(text, sizeof text, ": R2 %.3f, held-out error %.1f %% (95 %%), worst %.1f %%",
                fit.r_squared, 100.0 * fit.relative_error, 100.0 * fit.worst_relative_error);
  table.source += "; energies fitted to " + std::to_string(fit.num_networks) +
                  " networks measured by " + fit.sensor + text;
  table.energy_unit = kFittedEnergyUnit;
  table.energy_fit_error = fit.relative_error;
  table.overhead_energy = fit.uj_per_ns * table.overhead_latency_ns;
  std::map<std::string, int> operations;
  for (int i = 0; i < topology.num_operations(); ++i) {
    operations[topology.operations[static_cast<std::size_t>(i)].name] = i;
  }
  for (auto& [key, cost] : table.operations) {
    const auto& [name, weight_bits, activation_bits] = key;
    cost.energy = fit.uj_per_ns * cost.latency_ns;
    const auto found = operations.find(name);
    if (found == operations.end() || weight_bits == 0) continue;
    const auto macs = static_cast<double>(Macs(topology, found->second));
    const Operation& op = topology.operations[static_cast<std::size_t>(found->second)];
    const double weights =
        static_cast<double>(WeightDepth(topology, found->second)) * op.out_channels;
    *cost.energy += fit.uj_per_product * Products(macs, weight_bits, activation_bits) +
                    fit.uj_per_weight_byte * weights * weight_bits / 8.0;
  }
  return table;
}

}  // namespace bitpilot

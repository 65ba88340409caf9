// SyntheticEnvironment: a quantized network and a board as formulas, for tests of policies.
//
// Realistic where it matters to a search: losses are additive plus interactions between neighbours,
// probes know them up to a log-normal error, the error rate saturates, an operation's time depends
// jointly on both widths (and is not monotone), the table misjudges every operation and misses an
// overhead, and measurements are noisy.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/standard_networks.h"
#include "policies/environment.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"

namespace bitpilot {

struct SyntheticOptions {
  std::string network = "resnet8";
  std::vector<int> widths = {2, 3, 4, 5, 6, 7, 8};
  std::uint64_t seed = 1;
  int max_measurements = 24;
  Budgets budgets = {};
  double probe_log_sigma = 0.5;  // log-normal error of sensitivities
  double table_log_sigma = 0.1;  // log-normal error of each operation's times
  double interaction = 0.5;      // of neighbours, relative to their geometric mean
  double latency_noise = 0.01;   // relative, of one measurement
  double failure_rate = 0.0;     // of measurements, a property of the candidate
  double divergence_rate = 0.0;  // of trainings, a property of the candidate
  int interrupted_step = -1;     // this call of Step() returns nullopt once
  bool training = false;         // the loss falls from step to step
  EnergyObjective energy = EnergyObjective::kNone;  // measured on this board, or a model's
};

class SyntheticEnvironment final : public Environment {
 public:
  explicit SyntheticEnvironment(const SyntheticOptions& options) : options_(options) {
    problem_.topology = StandardTopology(options.network).value();
    problem_.base = UniformAssignment(problem_.topology, 8, 8);
    problem_.budgets = options.budgets;
    problem_.energy_objective = options.energy;
    problem_.max_measurements = options.max_measurements;
    problem_.batches_per_step = options.training ? 50 : 0;
    AddVariables();
    AddTable();
    problem_.uniform8 = {.latency_ns = PredictNs(problem_.base), .loss = 0.4, .accuracy = 0.87};
  }

  const SearchProblem& problem() const override { return problem_; }
  int measurements_left() const override { return options_.max_measurements - steps_; }

  std::optional<Transition> Step(const Proposal& proposal) override {
    BITPILOT_CHECK(measurements_left() > 0);
    if (calls_++ == options_.interrupted_step) {
      return std::nullopt;
    }
    Transition transition = Evaluate(proposal.choice);
    // What this candidate's board run does: the same whenever it is asked again, but for noise.
    RandomStream fate(options_.seed, "fate", Hash(proposal.choice));
    RandomStream noise(options_.seed, "noise", static_cast<std::uint64_t>(steps_));
    ++steps_;
    const std::optional<std::int64_t>& max_bytes = problem_.budgets.max_weight_bytes;
    if (max_bytes && transition.weight_bytes > *max_bytes) {
      transition.status = TransitionStatus::kRejected;
    } else if (fate.NextUniform() < options_.failure_rate) {
      transition.status = TransitionStatus::kFailed;
    } else if (fate.NextUniform() < options_.divergence_rate) {
      transition.status = TransitionStatus::kDiverged;
      transition.loss = transition.accuracy = 0.0;
    } else {
      const double true_ns = PredictNs(ToAssignment(problem_, proposal.choice));
      const double ns = true_ns * PlainExp(options_.latency_noise * noise.NextNormal());
      transition.status = TransitionStatus::kMeasured;
      transition.latency_ns = ns;
      transition.latency_low_ns = ns * 0.99;
      transition.latency_high_ns = ns * 1.01;
      AddEnergy(ToAssignment(problem_, proposal.choice), noise, transition);
    }
    return transition;
  }

 private:
  static std::size_t At(int index) { return static_cast<std::size_t>(index); }

  static std::uint64_t Hash(const Choice& choice) {
    std::uint64_t hash = 0;
    for (const int width : choice) {
      hash = hash * 11 + static_cast<std::uint64_t>(width);
    }
    return hash;
  }

  // All but the ends: what UniformAssignment() would change.
  void AddVariables() {
    RandomStream random(options_.seed, "sensitivity");
    const BitAssignment narrow = UniformAssignment(problem_.topology, 2, 2);
    const std::vector<int> layers = LayerOperations(problem_.topology);
    for (std::size_t l = 0; l < narrow.weight_bits.size(); ++l) {
      if (narrow.weight_bits[l].front().bits == 2) {
        AddVariable(DecisionVariable::Kind::kWeights, static_cast<int>(l),
                    problem_.topology.operations[At(layers[l])].name, random);
      }
    }
    for (int t = 0; t < problem_.topology.num_stored_tensors(); ++t) {
      if (narrow.activation_bits[At(t)] == 2) {
        AddVariable(DecisionVariable::Kind::kActivations, t, TensorName(problem_.topology, t),
                    random);
      }
    }
  }

  // Each bit less costs about 4.5 times more loss; layers differ by a factor of three and more.
  void AddVariable(DecisionVariable::Kind kind, int index, const std::string& name,
                   RandomStream& random) {
    DecisionVariable variable{kind, index, name, options_.widths, {}};
    const double at_4_bits = 0.012 * PlainExp(1.1 * random.NextNormal());
    const double probe_error = PlainExp(options_.probe_log_sigma * random.NextNormal());
    std::vector<double> truth;
    for (const int width : options_.widths) {
      const double steps = 1.5 * (4 - width);
      const double loss =
          width == 8 ? 0.0 : at_4_bits * PlainExp(steps + 0.3 * random.NextNormal());
      truth.push_back(loss);
      variable.sensitivity.push_back(loss * probe_error * PlainExp(0.15 * random.NextNormal()));
    }
    problem_.variables.push_back(std::move(variable));
    true_loss_.push_back(std::move(truth));
  }

  // Narrow codes are faster only down to what the kernel classes 2, 4 and 8 bits hold; other widths
  // pay for unpacking, and a pair runs at the class of its wider side.
  void AddTable() {
    RandomStream random(options_.seed, "table");
    problem_.table.name = "synthetic";
    problem_.table.source = "formula";
    true_table_.energy_unit = "uJ-model";  // of the formula; what is reported is called measured
    for (const int layer : LayerOperations(problem_.topology)) {
      const Operation& operation = problem_.topology.operations[At(layer)];
      const double error = options_.table_log_sigma * random.NextNormal();
      const double gain = 0.5 + 0.3 * random.NextUniform();
      for (int w = 1; w <= 8; ++w) {
        for (int a = 1; a <= 8; ++a) {
          const int wide = w > a ? w : a;
          const double speed = wide <= 2 ? 0.8 : wide <= 4 ? 0.5 : wide <= 6 ? 0.1 : 0.0;
          const double unpack = (w & (w - 1)) == 0 ? 0.0 : 0.04;
          const double macs = static_cast<double>(Macs(problem_.topology, layer));
          const double ns = macs * 0.02 * (1.0 - gain * speed + unpack) + 500.0;
          // Power that is always drawn, and what each product costs by its widths.
          true_table_.operations[{operation.name, w, a}] = {ns, 0.5 * ns + 2e-4 * macs * w * a};
          problem_.table.operations[{operation.name, w, a}].latency_ns =
              ns * PlainExp(error + 0.3 * options_.table_log_sigma * random.NextNormal());
        }
      }
    }
    problem_.table.overhead_latency_ns = 2'000.0;
    true_table_.overhead_latency_ns = 20'000.0;
  }

  double PredictNs(const BitAssignment& assignment) const {
    return PredictCost(true_table_, problem_.topology, assignment).value().latency_ns;
  }

  void AddEnergy(const BitAssignment& assignment, RandomStream& noise,
                 Transition& transition) const {
    const auto energy = [&](const BitAssignment& bits) {
      return PredictCost(true_table_, problem_.topology, bits).value().energy.value();
    };
    const double ratio = energy(assignment) / energy(problem_.base) *
                         PlainExp(options_.latency_noise * noise.NextNormal());
    if (options_.energy == EnergyObjective::kMeasured) transition.energy_ratio = ratio;
    if (options_.energy == EnergyObjective::kModel) transition.model_energy_ratio = ratio;
  }

  Transition Evaluate(const Choice& choice) const {
    double loss = 0.0;
    double before = 0.0;
    for (std::size_t i = 0; i < choice.size(); ++i) {
      std::size_t k = 0;
      while (options_.widths[k] != choice[i]) {
        ++k;
      }
      const double here = true_loss_[i][k];
      loss += here + options_.interaction * std::sqrt(before * here);
      before = here;
    }
    RandomStream images(options_.seed, "images", Hash(choice));
    const double spread = 1.0 - PlainExp(-0.45 * loss);
    const double drift = options_.training ? 0.1 / (1 + steps_) : 0.0;
    Transition transition;
    transition.choice = choice;
    transition.loss = 0.4 + loss * (1.0 + 0.02 * images.NextNormal()) + drift;
    transition.accuracy = 0.87 - 0.77 * spread + 0.004 * images.NextNormal() - 0.1 * drift;
    transition.weight_bytes = WeightBytes(problem_.topology, ToAssignment(problem_, choice));
    return transition;
  }

  SyntheticOptions options_;
  SearchProblem problem_;
  CostTable true_table_;
  std::vector<std::vector<double>> true_loss_;  // [variables][widths]
  int steps_ = 0;
  int calls_ = 0;
};

}  // namespace bitpilot

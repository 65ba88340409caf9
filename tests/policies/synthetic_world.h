// SyntheticWorld: a quantized network and its boards as formulas, for tests of policies.
//
// Realistic where it matters to a search: losses are additive plus interactions between neighbours,
// probes know them up to a log-normal error, the error rate saturates, an operation's time depends
// jointly on both widths (and is not monotone), the table misjudges every operation and misses an
// overhead. Where it trains, weights drift to the widths that they train at (policies/adaptation.h),
// and all losses fall with their depth.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/standard_networks.h"
#include "policies/adaptation.h"
#include "policies/environment.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"
#include "policies/reward.h"
#include "policies/width_index.h"

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
  bool training = false;         // 50 mini-batches a trial
  EnergyObjective energy = EnergyObjective::kNone;  // measured on this board, or a model's
  // --- what boards do, which no policy can know (tests/policies/synthetic_environment.h) ---
  int classes = 1;
  int slots = 1;                   // of each class
  std::uint64_t schedule = 1;      // seed of the order of answers, and of all that follows
  double unavailable_rate = 0.0;   // of measurements: no board could be asked
  int predicted = 0;               // the last class's first trials: no board, and a prediction
  double interruption_rate = 0.0;  // of calls of Next()
  double late_rate = 0.0;          // of tickets: all that came after them are answered before
  double change_rate = 0.0;        // of calls of Next(): boards come or go
  std::optional<double> board_seconds = std::nullopt;  // a measurement takes two
};

// Weights that a place stands for.
struct SyntheticWeights {
  Adaptation adaptation;
  int depth = 0;
  std::uint64_t stream = 0;  // which mini-batches come next
};

class SyntheticWorld {
 public:
  explicit SyntheticWorld(const SyntheticOptions& options)
      : SyntheticWorld(options, Truth(options)) {}
  SyntheticWorld(const SyntheticWorld&) = delete;
  SyntheticWorld& operator=(const SyntheticWorld&) = delete;

  const SearchProblem& problem() const { return problem_; }
  const SyntheticOptions& options() const { return options_; }

  Totals totals() const {
    return {.measurements = options_.max_measurements,
            .mini_batches = problem_.batches_per_step * options_.max_measurements,
            .board_seconds = options_.board_seconds};
  }

  SyntheticWeights Start() const { return {Adaptation(index_), 0, options_.seed}; }

  bool Diverges(const Choice& choice) const { return Fate(choice, 1) < options_.divergence_rate; }
  bool FailsOnBoards(const Choice& choice) const { return Fate(choice, 0) < options_.failure_rate; }

  SyntheticWeights Train(const SyntheticWeights& from, const Choice& choice,
                         const Pace& pace) const {
    const double counted = pace.batches * 0.5 * (pace.rate_begin + pace.rate_end);
    RandomStream next(from.stream, "next", Hash(choice) + static_cast<std::uint64_t>(pace.batches));
    return {from.adaptation.After(choice, counted, kTau), from.depth + pace.batches,
            next.NextBits()};
  }

  // Mean over the mini-batches after `from`.
  double TrainLoss(const SyntheticWeights& from, const SyntheticWeights& to,
                   const Choice& choice) const {
    RandomStream batches(from.stream, "mini-batches");
    return 0.5 * (Loss(from, choice) + Loss(to, choice)) * (1.0 + 0.05 * batches.NextNormal());
  }

  Scored Score(const SyntheticWeights& weights, const Choice& choice) const {
    RandomStream images(options_.seed, "images", Hash(choice));
    const double loss = Loss(weights, choice);
    const double spread = 1.0 - PlainExp(-0.45 * loss);
    Scored score;
    score.loss = TwinLoss(weights.depth) + loss * (1.0 + 0.02 * images.NextNormal());
    score.loss_error = 0.01;
    score.total = kImages;
    const double error = TwinError(weights.depth) + 0.77 * spread - 0.004 * images.NextNormal();
    score.correct = static_cast<int>(std::clamp(1.0 - error, 0.0, 1.0) * kImages);
    return score;
  }

  // What class `number` would measure without noise: the others gain less from narrow widths.
  double LatencyRatio(const Choice& choice, int number) const {
    const double ratio = PredictNs(ToAssignment(problem_, choice)) / problem_.uniform8.latency_ns;
    return 1.0 + (1.0 - 0.25 * number) * (ratio - 1.0);
  }
  double EnergyRatio(const Choice& choice) const {
    return PredictEnergy(ToAssignment(problem_, choice)) / PredictEnergy(problem_.base);
  }

  static std::uint64_t Hash(const Choice& choice) {
    std::uint64_t hash = 0;
    for (const int width : choice) {
      hash = hash * 11 + static_cast<std::uint64_t>(width);
    }
    return hash;
  }

 private:
  static constexpr double kTau = 60.0;  // mini-batches
  static constexpr int kImages = 3000;
  static constexpr int kAnchorPoints = 9;

  struct Truth {
    SearchProblem problem;
    CostTable table;
    std::vector<std::vector<double>> loss;  // [variables][widths]

    explicit Truth(const SyntheticOptions& options) {
      problem.topology = StandardTopology(options.network).value();
      problem.base = UniformAssignment(problem.topology, 8, 8);
      problem.budgets = options.budgets;
      problem.energy_objective = options.energy;
      problem.max_measurements = options.max_measurements;
      problem.batches_per_step = options.training ? 50 : 0;
      problem.final_batches = options.training ? 100 : 0;
      AddVariables(options);
      AddTable(options);
    }

    // All but the ends: what UniformAssignment() would change.
    void AddVariables(const SyntheticOptions& options) {
      RandomStream random(options.seed, "sensitivity");
      const BitAssignment narrow = UniformAssignment(problem.topology, 2, 2);
      const std::vector<int> layers = LayerOperations(problem.topology);
      for (std::size_t l = 0; l < narrow.weight_bits.size(); ++l) {
        if (narrow.weight_bits[l].front().bits == 2) {
          AddVariable(options, DecisionVariable::Kind::kWeights, static_cast<int>(l),
                      problem.topology.operations[At(layers[l])].name, random);
        }
      }
      for (int t = 0; t < problem.topology.num_stored_tensors(); ++t) {
        if (narrow.activation_bits[At(t)] == 2) {
          AddVariable(options, DecisionVariable::Kind::kActivations, t,
                      TensorName(problem.topology, t), random);
        }
      }
    }

    // Each bit less costs about 4.5 times more loss; layers differ by a factor of three and more.
    void AddVariable(const SyntheticOptions& options, DecisionVariable::Kind kind, int number,
                     const std::string& name, RandomStream& random) {
      DecisionVariable variable{kind, number, name, options.widths, {}};
      const double at_4_bits = 0.012 * PlainExp(1.1 * random.NextNormal());
      const double probe_error = PlainExp(options.probe_log_sigma * random.NextNormal());
      std::vector<double> truth;
      for (const int width : options.widths) {
        const double steps = 1.5 * (4 - width);
        const double at_width =
            width == 8 ? 0.0 : at_4_bits * PlainExp(steps + 0.3 * random.NextNormal());
        truth.push_back(at_width);
        variable.sensitivity.push_back(at_width * probe_error *
                                       PlainExp(0.15 * random.NextNormal()));
      }
      problem.variables.push_back(std::move(variable));
      loss.push_back(std::move(truth));
    }

    // Narrow codes are faster only down to what the kernel classes 2, 4 and 8 bits hold; other
    // widths pay for unpacking, and a pair runs at the class of its wider side.
    void AddTable(const SyntheticOptions& options) {
      RandomStream random(options.seed, "table");
      problem.table.name = "synthetic";
      problem.table.source = "formula";
      table.energy_unit = "uJ-model";  // of the formula; what is reported is called measured
      for (const int layer : LayerOperations(problem.topology)) {
        const Operation& operation = problem.topology.operations[At(layer)];
        const double error = options.table_log_sigma * random.NextNormal();
        const double gain = 0.5 + 0.3 * random.NextUniform();
        for (int w = 1; w <= 8; ++w) {
          for (int a = 1; a <= 8; ++a) {
            const int wide = w > a ? w : a;
            const double speed = wide <= 2 ? 0.8 : wide <= 4 ? 0.5 : wide <= 6 ? 0.1 : 0.0;
            const double unpack = (w & (w - 1)) == 0 ? 0.0 : 0.04;
            const double macs = static_cast<double>(Macs(problem.topology, layer));
            const double ns = macs * 0.02 * (1.0 - gain * speed + unpack) + 500.0;
            // Power that is always drawn, and what each product costs by its widths.
            table.operations[{operation.name, w, a}] = {ns, 0.5 * ns + 2e-4 * macs * w * a};
            problem.table.operations[{operation.name, w, a}].latency_ns =
                ns * PlainExp(error + 0.3 * options.table_log_sigma * random.NextNormal());
          }
        }
      }
      problem.table.overhead_latency_ns = 2'000.0;
      table.overhead_latency_ns = 20'000.0;
    }
  };

  SyntheticWorld(const SyntheticOptions& options, Truth truth)
      : options_(options),
        problem_(std::move(truth.problem)),
        true_table_(std::move(truth.table)),
        true_loss_(std::move(truth.loss)),
        index_(problem_.variables) {
    problem_.uniform8 = {.latency_ns = PredictNs(problem_.base),
                         .loss = TwinLoss(0),
                         .accuracy = 1.0 - TwinError(0)};
    const int end = totals().mini_batches;
    for (int i = 0; i < (end > 0 ? kAnchorPoints : 1); ++i) {
      const int batches = end * i / (kAnchorPoints - 1);
      problem_.anchor.readings.push_back({batches, TwinLoss(batches), 0.01, TwinError(batches)});
    }
  }

  static std::size_t At(int number) { return static_cast<std::size_t>(number); }

  // Uniform 8 bit trained alone.
  static double TwinLoss(int depth) { return 0.4 - 0.1 * depth / (depth + 200.0); }
  static double TwinError(int depth) { return 0.13 - 0.03 * depth / (depth + 200.0); }

  // In [0, 1), the same whenever the candidate comes again.
  double Fate(const Choice& choice, int which) const {
    RandomStream fate(options_.seed, "fate", Hash(choice));
    double drawn = fate.NextUniform();
    for (int i = 0; i < which; ++i) drawn = fate.NextUniform();
    return drawn;
  }

  double PredictNs(const BitAssignment& bits) const {
    return PredictCost(true_table_, problem_.topology, bits).value().latency_ns;
  }
  double PredictEnergy(const BitAssignment& bits) const {
    return PredictCost(true_table_, problem_.topology, bits).value().energy.value();
  }

  // Above the twin: nothing for uniform 8 bit on weights that trained at it.
  double Loss(const SyntheticWeights& weights, const Choice& choice) const {
    const std::vector<double> missing = weights.adaptation.Missing(choice);
    double sum = 0.0;
    double before = 0.0;
    for (std::size_t i = 0; i < choice.size(); ++i) {
      const auto k = At(index_.Position(static_cast<int>(i), choice[i]));
      const double here = true_loss_[i][k] * (options_.training ? 0.4 + missing[i] : 1.0) +
                          (options_.training ? 0.01 * missing[i] : 0.0);
      sum += here + options_.interaction * std::sqrt(before * here);
      before = here;
    }
    return sum;
  }

  SyntheticOptions options_;
  SearchProblem problem_;
  CostTable true_table_;
  std::vector<std::vector<double>> true_loss_;  // [variables][widths]
  WidthIndex index_;
};

}  // namespace bitpilot

// TrainingToy: a search while training, as formulas: weights that adapt to the widths that they train at,
// losses read with noise, and a board that measures latency with noise.
//
// Losses follow policies/loss_belief.h with unknown numbers: draws around the probe, one speed of
// adaptation. The search's own rates count. Answers come in the order of submission, or from several
// slots in an order drawn from the seed.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/standard_networks.h"
#include "policies/adaptation.h"
#include "policies/environment.h"
#include "policies/index.h"
#include "policies/pace.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"
#include "policies/trained_places.h"
#include "policies/view.h"
#include "policies/width_index.h"

namespace bitpilot {

struct TrainingToyOptions {
  std::uint64_t seed = 1;
  std::vector<int> widths = {2, 4, 8};
  int measurements = 16;
  int batches_per_step = 10;
  int final_batches = 20;
  int slots = 1;
  Budgets budgets = {.max_latency_ratio = 0.7};
  double loss_error = 0.012;      // nats
  double divergence_rate = 0.0;   // of trainings
  double failure_rate = 0.0;      // of candidates
  double unavailable_rate = 0.0;  // of measurements
};

class TrainingToy final : public Environment {
 public:
  explicit TrainingToy(const TrainingToyOptions& options)
      : options_(options), noise_(options.seed, "noise"), order_(options.seed, "order") {
    problem_.topology = StandardTopology("resnet8").value();
    problem_.base = UniformAssignment(problem_.topology, 8, 8);
    problem_.budgets = options.budgets;
    problem_.max_measurements = options.measurements;
    problem_.batches_per_step = options.batches_per_step;
    problem_.final_batches = options.final_batches;
    const int total = options.measurements * options.batches_per_step;
    problem_.anchor.readings = {{0, 0.50, 1e-3, 0.15}, {total + 1, 0.40, 1e-3, 0.13}};
    AddVariables();
    AddTable();
    problem_.uniform8 = {.latency_ns = TrueNs(problem_.base), .loss = 0.5, .accuracy = 0.85};
    index_.emplace(problem_.variables);
    weights_.emplace(0, Weights{Adaptation(*index_), 0});
    view_.emplace(problem_);
  }

  const SearchProblem& problem() const override { return problem_; }
  const View& view() const { return *view_; }

  Status Submit(const Action& action) override {
    BITPILOT_RETURN_IF_ERROR(view_->Check(action));
    if (const auto* trial = std::get_if<Trial>(&action)) queue_.push_back(Answer(*trial));
    view_->Submitted(action);
    return Status();
  }

  std::optional<Observation> Next() override {
    Observation observation =
        Conditions{.slots = {{"board", options_.slots}},
                   .totals = {.measurements = options_.measurements,
                              .mini_batches = options_.measurements * options_.batches_per_step}};
    if (began_) {
      const auto pick = AsIndex(order_.NextIndex(static_cast<int>(queue_.size())));
      observation = queue_[pick];
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    began_ = true;
    view_->Observed(observation);
    return observation;
  }

  void Keep(const std::vector<TicketId>& places) override { view_->Keep(places); }

  // Excess loss, nats, of the weights of a place after `batches` more at `choice`.
  double LossAfter(Place place, const Choice& choice, double batches) const {
    return ExcessOf(weights_.at(place.after).adapted.After(choice, batches, tau_), choice);
  }
  double TrueRatio(const Choice& choice) const {
    return TrueNs(ToAssignment(problem_, choice)) / TrueNs(problem_.base);
  }

 private:
  struct Weights {
    Adaptation adapted;
    int depth;
  };

  void AddVariables() {
    RandomStream probe(options_.seed, "probe");
    RandomStream world(options_.seed, "world");
    const auto add = [&](DecisionVariable::Kind kind, int index, const std::string& name) {
      DecisionVariable variable{kind, index, name, options_.widths, {}};
      const double at_4_bits = PlainExp(-4.5 + 0.9 * probe.NextNormal());
      for (const int width : options_.widths) {
        const double probed = width == 8 ? 0.0 : at_4_bits * PlainExp(1.04 * (4 - width));
        variable.sensitivity.push_back(probed);
        stays_.push_back(0.3 * probed * PlainExp(0.8 * world.NextNormal()));
        goes_.push_back(0.7 * probed * PlainExp(0.5 * world.NextNormal()) + 0.012);
      }
      problem_.variables.push_back(std::move(variable));
    };
    const BitAssignment narrow = UniformAssignment(problem_.topology, 2, 2);
    const std::vector<int> layers = LayerOperations(problem_.topology);
    for (std::size_t l = 0; l < narrow.weight_bits.size(); ++l) {
      if (narrow.weight_bits[l].front().bits == 2) {
        add(DecisionVariable::Kind::kWeights, static_cast<int>(l),
            problem_.topology.operations[AsIndex(layers[l])].name);
      }
    }
    for (int t = 0; t < problem_.topology.num_stored_tensors(); ++t) {
      if (narrow.activation_bits[AsIndex(t)] == 2) {
        add(DecisionVariable::Kind::kActivations, t, TensorName(problem_.topology, t));
      }
    }
    tau_ = 15.0 + 35.0 * world.NextUniform();
  }

  void AddTable() {
    RandomStream random(options_.seed, "table");
    problem_.table.name = "toy";
    problem_.table.source = "formula";
    for (const int layer : LayerOperations(problem_.topology)) {
      const Operation& operation = problem_.topology.operations[AsIndex(layer)];
      for (int w = 1; w <= 8; ++w) {
        for (int a = 1; a <= 8; ++a) {
          const double macs = static_cast<double>(Macs(problem_.topology, layer));
          const double ns = macs * 0.02 * (0.2 + 0.05 * w + 0.05 * a) + 500.0;
          true_table_.operations[{operation.name, w, a}].latency_ns = ns;
          problem_.table.operations[{operation.name, w, a}].latency_ns =
              ns * PlainExp(0.05 * random.NextNormal());
        }
      }
    }
  }

  double TrueNs(const BitAssignment& assignment) const {
    return PredictCost(true_table_, problem_.topology, assignment).value().latency_ns;
  }

  double ExcessOf(const Adaptation& adapted, const Choice& choice) const {
    const std::vector<double> missing = adapted.Missing(choice);
    double loss = 0.0;
    for (std::size_t i = 0; i < choice.size(); ++i) {
      const auto at = AsIndex(index_->Of(static_cast<int>(i), choice[i]));
      loss += stays_[at] + goes_[at] * missing[i];
    }
    return loss;
  }

  ClassOutcome Measure(const Choice& choice) {
    if (noise_.NextUniform() < options_.unavailable_rate) {
      return {.on = "board", .result = BoardUnavailable{"unplugged"}};
    }
    std::uint64_t hash = 0;
    for (const int width : choice) hash = hash * 11 + static_cast<std::uint64_t>(width);
    RandomStream fate(options_.seed, "fate", hash);
    if (fate.NextUniform() < options_.failure_rate) {
      return {.on = "board", .result = CandidateFailed{"does not fit"}};
    }
    const double ratio = TrueRatio(choice) * PlainExp(0.004 * fate.NextNormal());
    return {.on = "board",
            .result =
                Measured{.ratio = ratio, .ratio_low = 0.995 * ratio, .ratio_high = 1.005 * ratio}};
  }

  TrialOutcome Answer(const Trial& trial) {
    Weights from = weights_.at(trial.from.after);
    spent_ += trial.train.batches;
    TrialOutcome outcome;
    outcome.id = trial.id;
    const bool diverged =
        trial.train.batches > 0 && noise_.NextUniform() < options_.divergence_rate;
    Weights after = from;
    if (!diverged && trial.train.batches > 0) {
      after = {from.adapted.After(trial.what.choice, TrainedPlaces::Counted(trial.train), tau_),
               from.depth + trial.train.batches};
      outcome.train_loss = 0.5;
    }
    outcome.at = {.depth = after.depth, .spent = spent_};
    if (!diverged) {
      const double excess =
          ExcessOf(after.adapted, trial.what.choice) + options_.loss_error * noise_.NextNormal();
      const double accuracy = 0.10 + 0.77 * PlainExp(-0.45 * (excess > 0.0 ? excess : 0.0));
      const auto& readings = problem_.anchor.readings;
      const double share = static_cast<double>(after.depth) / readings.back().batches;
      outcome.score =
          Scored{.loss = readings[0].loss + share * (readings[1].loss - readings[0].loss) + excess,
                 .loss_error = options_.loss_error,
                 .correct = static_cast<int>(3000 * accuracy),
                 .total = 3000};
    }
    for (std::size_t i = 0; i < trial.classes.size(); ++i) {
      outcome.classes.push_back(Measure(trial.what.choice));
    }
    weights_.insert_or_assign(trial.id, std::move(after));
    return outcome;
  }

  TrainingToyOptions options_;
  SearchProblem problem_;
  CostTable true_table_;
  std::optional<WidthIndex> index_;
  std::vector<double> stays_;  // [widths]
  std::vector<double> goes_;
  double tau_ = 0.0;
  RandomStream noise_;
  RandomStream order_;
  std::map<TicketId, Weights> weights_;
  std::vector<Observation> queue_;
  std::optional<View> view_;
  bool began_ = false;
  int spent_ = 0;
};

}  // namespace bitpilot

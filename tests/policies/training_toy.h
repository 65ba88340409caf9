// TrainingToy: a search while training, as formulas: weights that adapt to the widths that they train at,
// losses read with noise, and a board that measures latency with noise.
//
// Losses follow policies/loss_belief.h with unknown numbers: draws around the probe, one speed of
// adaptation. The error of a reading is drawn from what led to the weights and from the widths, so that
// a reading repeats. The search's own rates count. Answers come in the order of submission, or from
// several slots in an order drawn from the seed.
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
  int predicted = 0;  // of what is to be measured, the first: no board, and a prediction
  std::optional<double> board_seconds = std::nullopt;
  double seconds_of_a_measurement = 5.0;  // the median
  double log_deviation_of_seconds = 0.0;
};

class TrainingToy final : public Environment {
 public:
  explicit TrainingToy(const TrainingToyOptions& options)
      : options_(options), boards_(options.seed, "boards"), order_(options.seed, "order") {
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
    weights_.emplace(0, Weights{Adaptation(*index_), 0, 0});
    view_.emplace(problem_);
  }

  const SearchProblem& problem() const override { return problem_; }
  const View& view() const { return *view_; }

  Status Submit(const Action& action) override {
    BITPILOT_RETURN_IF_ERROR(view_->Check(action));
    if (const auto* trial = std::get_if<Trial>(&action)) {
      queue_.emplace_back(Answer(*trial));
    } else if (const auto* advance = std::get_if<Advance>(&action)) {
      queue_.emplace_back(Answer(*advance));
    } else if (const auto* probe = std::get_if<Probe>(&action)) {
      queue_.emplace_back(Answer(*probe));
    }
    view_->Submitted(action);
    return Status();
  }

  std::optional<Observation> Next() override {
    Observation observation =
        Conditions{.slots = {{"board", options_.slots}},
                   .totals = {.measurements = options_.measurements,
                              .mini_batches = options_.measurements * options_.batches_per_step,
                              .board_seconds = options_.board_seconds}};
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
    std::uint64_t history;  // of all that trained them
  };
  struct Trained {
    Weights weights;
    bool diverged;
  };

  static std::uint64_t Mix(std::uint64_t hash, std::uint64_t value) {
    return RandomStream(hash, "mix", value).NextBits();
  }
  static std::uint64_t Mix(std::uint64_t hash, const Choice& choice) {
    for (const int width : choice) hash = Mix(hash, static_cast<std::uint64_t>(width));
    return hash;
  }

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

  double SecondsOf(const Choice& choice) const {
    RandomStream seconds(options_.seed, "seconds", Mix(0, choice));
    return options_.seconds_of_a_measurement *
           PlainExp(options_.log_deviation_of_seconds * seconds.NextNormal());
  }

  ClassOutcome Measure(const Choice& choice) {
    const bool is_known = view_->FindMeasured(choice, "board") != nullptr;
    if (!is_known && boards_.NextUniform() < options_.unavailable_rate) {
      return {.on = "board", .result = BoardUnavailable{"unplugged"}};
    }
    if (!is_known && num_predicted_ < options_.predicted) {
      ++num_predicted_;
      return {.on = "board", .result = BoardUnavailable{"unplugged", TrueRatio(choice)}};
    }
    RandomStream fate(options_.seed, "fate", Mix(0, choice));
    if (fate.NextUniform() < options_.failure_rate) {
      return {.on = "board", .result = CandidateFailed{"does not fit"}};
    }
    const double ratio = TrueRatio(choice) * PlainExp(0.004 * fate.NextNormal());
    return {
        .on = "board",
        .result = Measured{.ratio = ratio, .ratio_low = 0.995 * ratio, .ratio_high = 1.005 * ratio},
        .board_seconds = is_known ? 0.0 : options_.seconds_of_a_measurement};
  }

  // Trains from the place that a ticket names, and keeps what it left.
  Trained Train(TicketId id, Place place, const Choice& choice, const Pace& pace) {
    const Weights& from = weights_.at(place.after);
    spent_ += pace.batches;
    Trained trained{from, false};
    if (pace.batches > 0) {
      std::uint64_t history = Mix(from.history, choice);
      history = Mix(history, static_cast<std::uint64_t>(pace.batches));
      for (const double rate : {pace.rate_begin, pace.rate_end}) {
        history = Mix(history, static_cast<std::uint64_t>(1e9 * rate));
      }
      trained.diverged = RandomStream(options_.seed, "divergence", history).NextUniform() <
                         options_.divergence_rate;
      if (!trained.diverged) {
        trained.weights = {from.adapted.After(choice, TrainedPlaces::Counted(pace), tau_),
                           from.depth + pace.batches, history};
      }
    }
    weights_.insert_or_assign(id, trained.weights);
    return trained;
  }

  Advanced Answer(const Advance& advance) {
    const Trained trained = Train(advance.id, advance.from, advance.what.choice, advance.train);
    Advanced advanced{.id = advance.id, .at = {trained.weights.depth, spent_}, .train_loss = 0.5};
    if (trained.diverged) advanced.train_loss = std::nullopt;
    return advanced;
  }

  Probed Answer(const Probe& probe) const {
    Probed probed{.id = probe.id, .divergence = {}};
    for (const Choice& choice : probe.choices) {
      const Weights& weights = weights_.at(probe.from.after);
      RandomStream fate(options_.seed, "probed", Mix(weights.history, choice));
      probed.divergence.emplace_back(ExcessOf(weights.adapted, choice));
      if (fate.NextUniform() < options_.divergence_rate) probed.divergence.back().reset();
    }
    return probed;
  }

  TrialOutcome Answer(const Trial& trial) {
    const auto [after, diverged] = Train(trial.id, trial.from, trial.what.choice, trial.train);
    TrialOutcome outcome;
    outcome.id = trial.id;
    if (!diverged && trial.train.batches > 0) outcome.train_loss = 0.5;
    outcome.at = {.depth = after.depth, .spent = spent_};
    if (!diverged) {
      RandomStream error(options_.seed, "reading", Mix(after.history, trial.what.choice));
      const double excess =
          ExcessOf(after.adapted, trial.what.choice) + options_.loss_error * error.NextNormal();
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
    return outcome;
  }

  TrainingToyOptions options_;
  SearchProblem problem_;
  CostTable true_table_;
  std::optional<WidthIndex> index_;
  std::vector<double> stays_;  // [widths]
  std::vector<double> goes_;
  double tau_ = 0.0;
  RandomStream boards_;
  RandomStream order_;
  std::map<TicketId, Weights> weights_;
  std::vector<Observation> queue_;
  std::optional<View> view_;
  bool began_ = false;
  int num_predicted_ = 0;
  int spent_ = 0;
};

}  // namespace bitpilot

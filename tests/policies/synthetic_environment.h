// SyntheticEnvironment: the boards and the training of a SyntheticWorld. Measurements are noisy;
// answers come in a random order, boards come and go, calls are interrupted, all by the options and by
// seeds that they name.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "policies/environment.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"
#include "policies/view.h"
#include "tests/policies/synthetic_world.h"

namespace bitpilot {

class SyntheticEnvironment final : public Environment {
 public:
  explicit SyntheticEnvironment(const SyntheticOptions& options)
      : SyntheticEnvironment(std::make_shared<SyntheticWorld>(options), options) {}

  // options: of what boards do; the rest is the world's.
  SyntheticEnvironment(std::shared_ptr<const SyntheticWorld> world, const SyntheticOptions& options)
      : world_(std::move(world)),
        options_(options),
        view_(world_->problem()),
        schedule_(options.schedule, "schedule"),
        next_conditions_(Conditions{{}, world_->totals()}) {
    for (int i = 0; i < options.classes; ++i) {
      next_conditions_->slots["class-" + std::to_string(i)] = options.slots;
    }
    weights_.emplace(0, world_->Start());
  }

  const SearchProblem& problem() const override { return world_->problem(); }

  Status Submit(const Action& action) override {
    BITPILOT_RETURN_IF_ERROR(view_.Check(action));
    view_.Submitted(action);
    if (const auto* trial = std::get_if<Trial>(&action)) {
      SubmitTrial(*trial);
    } else if (const auto* advance = std::get_if<Advance>(&action)) {
      SubmitAdvance(*advance);
    } else if (const auto* probe = std::get_if<Probe>(&action)) {
      SubmitProbe(*probe);
    }
    DropWeights();
    return Status();
  }

  std::optional<Observation> Next() override {
    BITPILOT_CHECK(next_conditions_ || !view_.in_flight().empty());
    if (schedule_.NextUniform() < options_.interruption_rate) return std::nullopt;
    if (!next_conditions_ && schedule_.NextUniform() < options_.change_rate) ChangeBoards();
    Observation observation;
    if (next_conditions_) {
      observation = *std::exchange(next_conditions_, std::nullopt);
    } else {
      const TicketId id = PickTicket();
      observation = std::move(answers_.at(id));
      answers_.erase(id);
      if (auto* outcome = std::get_if<TrialOutcome>(&observation)) Measure(outcome);
    }
    view_.Observed(observation);
    DropWeights();
    return observation;
  }

  void Keep(const std::vector<TicketId>& places) override {
    view_.Keep(places);
    DropWeights();
  }

  // The search may spend `totals` from here on, also where it had stopped.
  void Extend(const Totals& totals) {
    BITPILOT_CHECK(view_.conditions().has_value());
    next_conditions_ = Conditions{view_.conditions()->slots, totals};
  }

 private:
  static TicketId IdOf(const Action& action) {
    if (const auto* trial = std::get_if<Trial>(&action)) return trial->id;
    if (const auto* advance = std::get_if<Advance>(&action)) return advance->id;
    return std::get<Probe>(action).id;
  }

  // Trains; training that diverged leaves the weights that it began from. Returns its train loss.
  std::optional<double> Train(TicketId id, const Choice& choice, Place from, const Pace& pace,
                              Progress* at) {
    const SyntheticWeights begin = weights_.at(from.after);
    const bool diverges = pace.batches > 0 && world_->Diverges(choice);
    SyntheticWeights end = begin;
    std::optional<double> train_loss;
    if (pace.batches > 0 && !diverges) {
      end = world_->Train(begin, choice, pace);
      train_loss = world_->TrainLoss(begin, end, choice);
    }
    *at = {end.depth, view_.mini_batches_submitted()};
    weights_.insert_or_assign(id, end);
    return train_loss;
  }

  void SubmitTrial(const Trial& trial) {
    TrialOutcome outcome;
    outcome.id = trial.id;
    outcome.train_loss = Train(trial.id, trial.what.choice, trial.from, trial.train, &outcome.at);
    if (outcome.train_loss || trial.train.batches == 0) {
      outcome.score = world_->Score(weights_.at(trial.id), trial.what.choice);
    }
    answers_.emplace(trial.id, std::move(outcome));
    MarkLate(trial.id);
  }

  void SubmitAdvance(const Advance& advance) {
    Advanced advanced;
    advanced.id = advance.id;
    advanced.train_loss =
        Train(advance.id, advance.what.choice, advance.from, advance.train, &advanced.at);
    answers_.emplace(advance.id, std::move(advanced));
    MarkLate(advance.id);
  }

  void SubmitProbe(const Probe& probe) {
    Probed probed;
    probed.id = probe.id;
    const SyntheticWeights& weights = weights_.at(probe.from.after);
    for (const Choice& choice : probe.choices) {
      const double loss = world_->Score(weights, choice).loss;
      probed.divergence.emplace_back(0.5 * loss * loss);
      if (world_->Diverges(choice)) probed.divergence.back().reset();
    }
    answers_.emplace(probe.id, std::move(probed));
    MarkLate(probe.id);
  }

  void MarkLate(TicketId id) {
    if (schedule_.NextUniform() < options_.late_rate) late_.insert(id);
  }

  // Any one in flight; late ones when nothing else is.
  TicketId PickTicket() {
    std::vector<TicketId> tickets;
    for (const Action& action : view_.in_flight()) {
      if (!late_.contains(IdOf(action))) tickets.push_back(IdOf(action));
    }
    if (tickets.empty()) {
      for (const Action& action : view_.in_flight()) tickets.push_back(IdOf(action));
    }
    return tickets[static_cast<std::size_t>(schedule_.NextIndex(static_cast<int>(tickets.size())))];
  }

  // Each class gets some of its slots; one of them, at least. A quarter of the times the search may
  // spend more, too.
  void ChangeBoards() {
    Conditions conditions = *view_.conditions();
    int all = 0;
    for (auto& [on, slots] : conditions.slots) {
      slots = schedule_.NextIndex(options_.slots + 1);
      all += slots;
    }
    if (all == 0) conditions.slots.begin()->second = 1;
    if (schedule_.NextIndex(4) == 0) {
      conditions.totals.measurements += 2;
      conditions.totals.mini_batches += 2 * problem().batches_per_step;
    }
    next_conditions_ = std::move(conditions);
  }

  void Measure(TrialOutcome* outcome) {
    const Trial* trial = nullptr;
    for (const Action& action : view_.in_flight()) {
      if (IdOf(action) == outcome->id) trial = &std::get<Trial>(action);
    }
    for (const ClassId& on : trial->classes) {
      const auto slots = view_.conditions()->slots.find(on);
      const auto number = std::distance(view_.conditions()->slots.begin(), slots);
      outcome->classes.push_back(MeasureOn(*trial, on, static_cast<int>(number), slots->second));
    }
  }

  ClassOutcome MeasureOn(const Trial& trial, const ClassId& on, int number, int slots) {
    const Choice& choice = trial.what.choice;
    const bool is_away = schedule_.NextUniform() < options_.unavailable_rate || slots == 0;
    if (const Measured* known = view_.FindMeasured(choice, on)) return {on, *known, 0.0};
    if (is_away) return {on, BoardUnavailable{"no board of " + on}, 0.0};
    if (number + 1 == options_.classes && num_predicted_ < options_.predicted) {
      ++num_predicted_;
      return {on, BoardUnavailable{"no board of " + on, world_->LatencyRatio(choice, number)}, 0.0};
    }
    if (world_->FailsOnBoards(choice)) return {on, CandidateFailed{"fails everywhere"}, 2.0};
    RandomStream noise(options_.seed, "noise",
                       static_cast<std::uint64_t>(trial.id - 1 + 1'000'000 * number));
    const double factor = PlainExp(options_.latency_noise * noise.NextNormal());
    Measured measured;
    measured.ratio = world_->LatencyRatio(choice, number) * factor;
    measured.ratio_low = measured.ratio * 0.99;
    measured.ratio_high = measured.ratio * 1.01;
    if (options_.energy != EnergyObjective::kNone) {
      const double energy =
          world_->EnergyRatio(choice) * PlainExp(options_.latency_noise * noise.NextNormal());
      const bool is_model = options_.energy == EnergyObjective::kModel;
      (is_model ? measured.model_energy_ratio : measured.energy_ratio) = energy;
    }
    return {on, measured, 2.0};
  }

  void DropWeights() {
    std::erase_if(weights_, [&](const auto& place) { return !view_.IsKept({place.first}); });
  }

  std::shared_ptr<const SyntheticWorld> world_;
  SyntheticOptions options_;
  View view_;
  RandomStream schedule_;
  int num_predicted_ = 0;
  std::optional<Conditions> next_conditions_;
  std::map<TicketId, SyntheticWeights> weights_;
  std::map<TicketId, Observation> answers_;  // of tickets in flight, without what boards say
  std::set<TicketId> late_;
};

}  // namespace bitpilot

// EnvironmentPlayer: drives an environment action by action and checks what policies/environment.h
// promises of every answer.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policies/environment.h"
#include "policies/view.h"

namespace bitpilot {

class EnvironmentPlayer {
 public:
  // `environment` must outlive this object, and be new.
  explicit EnvironmentPlayer(Environment& environment)
      : environment_(environment), view_(environment.problem()), problem_(&environment.problem()) {}

  const View& view() const { return view_; }
  // By ticket.
  const std::map<TicketId, TrialOutcome>& outcomes() const { return outcomes_; }
  const std::map<TicketId, Advanced>& advances() const { return advances_; }
  const std::map<TicketId, Probed>& probes() const { return probes_; }

  // Submits a legal action.
  void Submit(const Action& action) {
    const Status shown = view_.Check(action);
    ASSERT_TRUE(shown.ok()) << shown.message();
    const Status status = environment_.Submit(action);
    ASSERT_TRUE(status.ok()) << status.message();
    view_.Submitted(action);
    if (const auto* trial = std::get_if<Trial>(&action)) {
      Record(trial->id, trial->from, trial->train.batches);
      for (const ClassId& on : trial->classes) {
        if (const Measured* known = view_.FindMeasured(trial->what.choice, on)) {
          known_.insert_or_assign({trial->id, on}, *known);
        }
      }
    } else if (const auto* advance = std::get_if<Advance>(&action)) {
      Record(advance->id, advance->from, advance->train.batches);
    }
  }

  // An illegal action is refused, and changes nothing.
  void ExpectRefused(const std::string& why, const Action& action) {
    SCOPED_TRACE(why);
    EXPECT_EQ(view_.Check(action).code(), StatusCode::kInvalidArgument);
    const Status status = environment_.Submit(action);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_FALSE(status.message().empty());
  }

  void Keep(const std::vector<TicketId>& places) {
    view_.Keep(places);
    environment_.Keep(places);
  }

  // Takes the next observation, past interruptions.
  void Next() {
    std::optional<Observation> observation;
    for (int i = 0; i < 1000 && !observation; ++i) observation = environment_.Next();
    ASSERT_TRUE(observation.has_value()) << "interrupted 1000 times";
    ASSERT_EQ(&environment_.problem(), problem_);
    if (const auto* conditions = std::get_if<Conditions>(&*observation)) {
      CheckConditions(*conditions);
    } else {
      ASSERT_TRUE(view_.conditions().has_value()) << "the first observation is not Conditions";
      if (const auto* outcome = std::get_if<TrialOutcome>(&*observation)) {
        ASSERT_NO_FATAL_FAILURE(CheckTrial(*outcome));
      } else if (const auto* advanced = std::get_if<Advanced>(&*observation)) {
        ASSERT_NO_FATAL_FAILURE(CheckAdvanced(*advanced));
      } else {
        ASSERT_NO_FATAL_FAILURE(CheckProbed(std::get<Probed>(*observation)));
      }
    }
    view_.Observed(*observation);
  }

  // Takes observations until nothing is in flight, then checks all depths.
  void Finish() {
    while (!view_.conditions() || !view_.in_flight().empty()) ASSERT_NO_FATAL_FAILURE(Next());
    CheckDepths();
  }

 private:
  struct Training {
    TicketId from = 0;
    int batches = 0;
    int spent = 0;  // by all tickets up to this one
    std::optional<bool> diverged;
    Progress at;
  };

  void Record(TicketId id, Place from, int batches) {
    trainings_[id] = {from.after, batches, view_.mini_batches_submitted(), std::nullopt, {}};
  }

  template <typename T>
  const T* InFlight(TicketId id) const {
    for (const Action& action : view_.in_flight()) {
      const T* typed = std::get_if<T>(&action);
      if (typed != nullptr && typed->id == id) return typed;
    }
    return nullptr;
  }

  void CheckConditions(const Conditions& conditions) {
    EXPECT_GE(conditions.totals.measurements, 0);
    EXPECT_GE(conditions.totals.mini_batches, 0);
    for (const auto& [on, slots] : conditions.slots) EXPECT_GE(slots, 0) << on;
  }

  void CheckTrained(TicketId id, const Progress& at, const std::optional<double>& train_loss,
                    bool diverged) {
    Training& training = trainings_.at(id);
    training.diverged = diverged;
    training.at = at;
    EXPECT_EQ(at.spent, training.spent) << "ticket " << id;
    EXPECT_FALSE(train_loss && training.batches == 0) << "a train loss without training";
    EXPECT_TRUE(train_loss || diverged || training.batches == 0) << "no train loss";
    EXPECT_TRUE(std::isfinite(train_loss.value_or(0.0)));
  }

  void CheckTrial(const TrialOutcome& outcome) {
    const Trial* trial = InFlight<Trial>(outcome.id);
    ASSERT_NE(trial, nullptr) << "an outcome of ticket " << outcome.id << ", which awaits none";
    CheckTrained(outcome.id, outcome.at, outcome.train_loss, !outcome.score);
    if (outcome.score) {
      EXPECT_TRUE(std::isfinite(outcome.score->loss));
      EXPECT_GE(outcome.score->loss_error, 0.0);
      EXPECT_GE(outcome.score->correct, 0);
      EXPECT_LE(outcome.score->correct, outcome.score->total);
      EXPECT_GT(outcome.score->total, 0);
    }
    ASSERT_EQ(outcome.classes.size(), trial->classes.size());
    for (std::size_t i = 0; i < trial->classes.size(); ++i) {
      ASSERT_EQ(outcome.classes[i].on, trial->classes[i]);
      EXPECT_GE(outcome.classes[i].board_seconds, 0.0);
      if (const auto* measured = std::get_if<Measured>(&outcome.classes[i].result)) {
        CheckMeasured(*measured);
      }
      const auto known = known_.find({outcome.id, trial->classes[i]});
      if (known != known_.end()) {
        EXPECT_EQ(std::get<Measured>(outcome.classes[i].result), known->second)
            << "other figures for a candidate that was measured";
      }
    }
    outcomes_.emplace(outcome.id, outcome);
  }

  void CheckMeasured(const Measured& measured) {
    EXPECT_GT(measured.ratio, 0.0);
    EXPECT_TRUE(std::isfinite(measured.ratio));
    EXPECT_GT(measured.ratio_low, 0.0);
    EXPECT_LE(measured.ratio_low, measured.ratio);
    EXPECT_GE(measured.ratio_high, measured.ratio);
    EXPECT_FALSE(measured.energy_ratio && measured.model_energy_ratio);
    EXPECT_GT(measured.energy_ratio.value_or(1.0), 0.0);
    EXPECT_GT(measured.model_energy_ratio.value_or(1.0), 0.0);
    EXPECT_GE(measured.energy_ratio_uncertainty, 0.0);
  }

  void CheckAdvanced(const Advanced& advanced) {
    ASSERT_NE(InFlight<Advance>(advanced.id), nullptr)
        << "an answer to ticket " << advanced.id << ", which awaits none";
    CheckTrained(advanced.id, advanced.at, advanced.train_loss, !advanced.train_loss);
    advances_.emplace(advanced.id, advanced);
  }

  void CheckProbed(const Probed& probed) {
    const Probe* probe = InFlight<Probe>(probed.id);
    ASSERT_NE(probe, nullptr) << "an answer to ticket " << probed.id << ", which awaits none";
    ASSERT_EQ(probed.divergence.size(), probe->choices.size());
    for (const std::optional<double>& divergence : probed.divergence) {
      EXPECT_TRUE(std::isfinite(divergence.value_or(0.0)));
      EXPECT_GE(divergence.value_or(0.0), 0.0);
    }
    probes_.emplace(probed.id, probed);
  }

  // A ticket goes on from the place that it named; one that diverged leaves that place's weights.
  void CheckDepths() {
    std::map<TicketId, int> depths = {{0, 0}};
    for (const auto& [id, training] : trainings_) {
      depths[id] = depths.at(training.from) + (*training.diverged ? 0 : training.batches);
      EXPECT_EQ(training.at.depth, depths[id]) << "ticket " << id;
      if (view_.IsKept({id})) {
        EXPECT_EQ(view_.DepthOf({id}), depths[id]) << "ticket " << id;
      }
    }
  }

  Environment& environment_;
  View view_;
  const SearchProblem* problem_;
  std::map<TicketId, Training> trainings_;
  std::map<std::pair<TicketId, ClassId>, Measured> known_;  // before the ticket was submitted
  std::map<TicketId, TrialOutcome> outcomes_;
  std::map<TicketId, Advanced> advances_;
  std::map<TicketId, Probed> probes_;
};

}  // namespace bitpilot

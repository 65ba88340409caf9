#include "agent/study/events.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "agent/study/event_json.h"

namespace bitpilot {

static constexpr std::array<std::string_view, 2> kKindWords = {"weights", "activations"};
static void to_json(nlohmann::json& j, PositionKind kind) {
  j = kKindWords.at(static_cast<std::size_t>(kind));
}
static void from_json(const nlohmann::json& j, PositionKind& kind) {
  ReadWord(j, kKindWords, kind);
}

// "rejected": by a budget of weight bytes, in log version 2 and below.
static constexpr std::array<std::string_view, 6> kStatusWords = {
    "measured", "rejected", "failed", "diverged", "unavailable", "unmeasured"};
static void to_json(nlohmann::json& j, TransitionStatus status) {
  j = kStatusWords.at(static_cast<std::size_t>(status));
}
static void from_json(const nlohmann::json& j, TransitionStatus& status) {
  ReadWord(j, kStatusWords, status);
}

static void to_json(nlohmann::json& j, Origin origin) { j = ToString(origin); }
static void from_json(const nlohmann::json& j, Origin& origin) {
  const Result<Origin> parsed = ParseOrigin(j.get<std::string>());
  if (!parsed.ok()) throw nlohmann::json::other_error::create(599, parsed.status().message(), &j);
  origin = *parsed;
}

static constexpr std::array<std::string_view, 4> kTableOriginWords = {"", "measured", "cached",
                                                                      "model"};
static void to_json(nlohmann::json& j, TableOrigin origin) {
  j = kTableOriginWords.at(static_cast<std::size_t>(origin));
}
static void from_json(const nlohmann::json& j, TableOrigin& origin) {
  ReadWord(j, kTableOriginWords, origin);
}

static constexpr std::array<std::string_view, 3> kObjectiveWords = {"none", "measured", "model"};
static void to_json(nlohmann::json& j, EnergyObjective objective) {
  j = kObjectiveWords.at(static_cast<std::size_t>(objective));
}
static void from_json(const nlohmann::json& j, EnergyObjective& objective) {
  ReadWord(j, kObjectiveWords, objective);
}

static void to_json(nlohmann::json& j, EnergyTier tier) { j = ToString(tier); }
static void from_json(const nlohmann::json& j, EnergyTier& tier) {
  constexpr std::array kTiers = {EnergyTier::kNone, EnergyTier::kMeterExternal,
                                 EnergyTier::kSensorOnboard, EnergyTier::kModelFitted,
                                 EnergyTier::kModelTable};
  std::array<std::string_view, kTiers.size()> words;
  std::transform(kTiers.begin(), kTiers.end(), words.begin(),
                 [](EnergyTier each) { return ToString(each); });
  ReadWord(j, words, tier);
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EnergyConditions, scope, no_net_reason, idle_power_w, latency_ns,
                                   window_s, inferences, samples)
BITPILOT_DEFINE_GROWN_TYPE(BoardConditions,
                           (governor, frequency_min_khz, frequency_max_khz,
                            temperature_start_celsius, temperature_end_celsius, throttle_bits,
                            canary_lease_ns, canary_ns, other_load, gate_wait_ms, timed_ms, notes),
                           (ignored_zones, cpu, turn_wait_ms, kernel_choices))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BoardEnergy, tier, source, scope, window_s, reason)
BITPILOT_DEFINE_GROWN_TYPE(BoardInfo,
                           (name, cpu_model, isa, daemon_build, kernel_build, backend, model_source,
                            os, architecture, governor, cpu_count),
                           (energy, shares_agent_host, core, cpu))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ChannelRange, first, count)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BitPosition, kind, index, channels)
BITPILOT_DEFINE_GROWN_TYPE(DecisionVariable, (kind, index, name, widths, sensitivity),
                           (channels, ties))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Reference, latency_ns, loss, accuracy)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ClassFacts, on, table, table_origin, table_board_seconds,
                                   uniform8_latency_ns)
BITPILOT_DEFINE_GROWN_TYPE(ProblemEvent,
                           (layers, tensors, variables, table, uniform8, float_accuracy),
                           (energy_objective, uniform8_sha256, table_origin, table_sha256,
                            table_board_seconds, no_uniform4, classes))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(IntegerProgramAnswer, max_latency_ratio, choice)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(IntegerProgramAnswers, fastest, answers)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AgentEvent, build, solver, log_version)
BITPILOT_DEFINE_GROWN_TYPE(MeasurementEvent,
                           (measurement_id, row_sha256, candidate_id, tier, status),
                           (on, board, board_seconds, measure_id))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MissingEvent, step, on, detail)
BITPILOT_DEFINE_GROWN_TYPE(Transition,
                           (choice, status, latency_ns, latency_low_ns, latency_high_ns, loss,
                            accuracy, weight_bytes),
                           (energy_ratio, energy_ratio_uncertainty, model_energy_ratio))
// What policies compute with is checked: a log may be anybody's.
static bool IsStandardError(double error) { return std::isfinite(error) && error >= 0.0; }
struct UncheckedReading : AnchorReading {};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(UncheckedReading, batches, loss, loss_error, error)
static void to_json(nlohmann::json& j, const AnchorReading& reading) {
  j = UncheckedReading{reading};
}
static void from_json(const nlohmann::json& j, AnchorReading& reading) {
  reading = j.get<UncheckedReading>();
  if (std::isfinite(reading.loss) && IsStandardError(reading.loss_error) && reading.batches >= 0 &&
      reading.error >= 0.0 && reading.error <= 1.0) {
    return;
  }
  throw nlohmann::json::other_error::create(
      599, "expected a loss_error of 0 or more, and an error in [0, 1], got " + j.dump(), &j);
}
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Pace, batches, rate_begin, rate_end)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Progress, depth, spent)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SameWeights, loss, correct, own_share, charge_error)
struct UncheckedScored : Scored {};
BITPILOT_DEFINE_GROWN_TYPE(UncheckedScored, (loss, loss_error, correct, total),
                           (excess_error, same_weights))
static bool IsReading(const SameWeights& same, int total) {
  return std::isfinite(same.loss) && IsStandardError(same.charge_error) && same.own_share >= 0.0 &&
         same.own_share <= 1.0 && same.correct >= 0 && same.correct <= total;
}
static void to_json(nlohmann::json& j, const Scored& score) { j = UncheckedScored{score}; }
static void from_json(const nlohmann::json& j, Scored& score) {
  score = j.get<UncheckedScored>();
  if (std::isfinite(score.loss) && IsStandardError(score.loss_error) &&
      IsStandardError(score.excess_error.value_or(0.0)) && score.total > 0 && score.correct >= 0 &&
      score.correct <= score.total &&
      (!score.same_weights || IsReading(*score.same_weights, score.total))) {
    return;
  }
  throw nlohmann::json::other_error::create(
      599,
      "expected errors of 0 or more, correct in [0, total] and shares in [0, 1], got " + j.dump(),
      &j);
}
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Totals, measurements, mini_batches, board_seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Conditions, slots, totals)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DecisionFigures, predicted_loss, predicted_error, value,
                                   value_of_staying, value_of_stopping)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AdvanceEvent, ticket, choice, assignment_id, reason, origin,
                                   from, pace, episode, figures)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProbeEvent, ticket, choices, from)
BITPILOT_DEFINE_GROWN_TYPE(StopEvent, (at), (finalists))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(KeepsEvent, places)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlaceEvent, ticket, sha256, file, train_loss, diverged)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PolicyEvent, state)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainedEvent, assignment_id, search_loss, twin_loss, from_twin,
                                   depth, batches, train_loss, diverged, score, network_sha256)
BITPILOT_DEFINE_GROWN_TYPE(CheckpointEvent, (step, sha256, file, train_loss), (diverged))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ArtifactEvent, sha256, kind, file)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EndEvent, reason)
BITPILOT_DEFINE_GROWN_TYPE(MeasurementConditions,
                           (confidence, inferences_per_window, drift, duration_ms,
                            involuntary_context_switches, load_average, kernels, operation_ns,
                            model_energy, model_energy_unit),
                           (energy, no_energy_reason, model_energy_error, board, fingerprint, on,
                            board_name, measure_id, attempt))

static void to_json(nlohmann::json& j, const AnswersEvent& event) { j = event.program; }
static void from_json(const nlohmann::json& j, AnswersEvent& event) { j.get_to(event.program); }

// Before there were origins, reasons began with them.
static Origin OriginInReason(std::string_view reason) {
  if (reason.starts_with("uniformly random")) return Origin::kRandom;
  for (const Origin origin : {Origin::kIntegerProgram, Origin::kFrontNeighbour,
                              Origin::kFrontCrossover, Origin::kIncumbentNeighbour,
                              Origin::kThompsonSample, Origin::kNearestUnseen, Origin::kUniform}) {
    if (reason.starts_with(ToString(origin))) return origin;
  }
  return Origin::kUnknown;
}
static void to_json(nlohmann::json& j, const ProposalEvent& event) {
  j = {{"step", event.step},       {"choice", event.choice},
       {"reason", event.reason},   {"assignment_id", event.assignment_id},
       {"origin", event.origin},   {"ticket", event.ticket},
       {"from", event.from},       {"pace", event.pace},
       {"classes", event.classes}, {"episode", event.episode},
       {"figures", event.figures}};
}
static void from_json(const nlohmann::json& j, ProposalEvent& event) {
  j.at("step").get_to(event.step);
  j.at("choice").get_to(event.choice);
  j.at("assignment_id").get_to(event.assignment_id);
  j.at("reason").get_to(event.reason);
  if (j.contains("origin")) {
    j.at("origin").get_to(event.origin);
  } else {
    event.origin = OriginInReason(event.reason);
  }
  if (!j.contains("ticket")) return;
  j.at("ticket").get_to(event.ticket);
  j.at("from").get_to(event.from);
  j.at("pace").get_to(event.pace);
  j.at("classes").get_to(event.classes);
  j.at("episode").get_to(event.episode);
  j.at("figures").get_to(event.figures);
}

// What a class answered has a word for it, so that no failure looks like a number.
static void to_json(nlohmann::json& j, const ClassOutcome& outcome) {
  j = {{"on", outcome.on}, {"board", outcome.board}, {"board_seconds", outcome.board_seconds}};
  if (const auto* measured = std::get_if<Measured>(&outcome.result)) {
    j["status"] = "measured";
    j["ratio"] = measured->ratio;
    j["ratio_low"] = measured->ratio_low;
    j["ratio_high"] = measured->ratio_high;
    j["is_noisy"] = measured->is_noisy;
    j["energy_ratio"] = measured->energy_ratio;
    j["energy_ratio_uncertainty"] = measured->energy_ratio_uncertainty;
    j["model_energy_ratio"] = measured->model_energy_ratio;
  } else if (const auto* failed = std::get_if<CandidateFailed>(&outcome.result)) {
    j["status"] = "failed";
    j["detail"] = failed->detail;
  } else {
    const auto& away = std::get<BoardUnavailable>(outcome.result);
    j["status"] = away.predicted_ratio ? "predicted" : "unavailable";
    j["detail"] = away.detail;
    if (away.predicted_ratio) j["predicted_ratio"] = *away.predicted_ratio;
  }
}
static void from_json(const nlohmann::json& j, ClassOutcome& outcome) {
  j.at("on").get_to(outcome.on);
  j.at("board_seconds").get_to(outcome.board_seconds);
  outcome.board = j.value("board", "");
  const auto status = j.at("status").get<std::string>();
  if (status == "measured") {
    Measured measured;
    j.at("ratio").get_to(measured.ratio);
    j.at("ratio_low").get_to(measured.ratio_low);
    j.at("ratio_high").get_to(measured.ratio_high);
    j.at("is_noisy").get_to(measured.is_noisy);
    j.at("energy_ratio").get_to(measured.energy_ratio);
    j.at("energy_ratio_uncertainty").get_to(measured.energy_ratio_uncertainty);
    j.at("model_energy_ratio").get_to(measured.model_energy_ratio);
    outcome.result = measured;
  } else if (status == "failed") {
    outcome.result = CandidateFailed{j.at("detail").get<std::string>()};
  } else if (status == "unavailable") {
    outcome.result = BoardUnavailable{j.at("detail").get<std::string>()};
  } else if (status == "predicted") {
    outcome.result =
        BoardUnavailable{j.at("detail").get<std::string>(), j.at("predicted_ratio").get<double>()};
  } else {
    throw nlohmann::json::other_error::create(599, "unknown status " + status, &j);
  }
}

static void to_json(nlohmann::json& j, const AnchorEvent& event) {
  j = {{"readings", event.anchor.readings},
       {"sha256", event.sha256},
       {"file", event.file},
       {"losses_sha256", event.losses_sha256},
       {"losses_file", event.losses_file}};
  if (event.anchor.of_first_budget != 0) j["of_first_budget"] = event.anchor.of_first_budget;
}
static void from_json(const nlohmann::json& j, AnchorEvent& event) {
  j.at("readings").get_to(event.anchor.readings);
  event.anchor.of_first_budget = j.value("of_first_budget", 0);
  if (event.anchor.of_first_budget < 0 ||
      event.anchor.of_first_budget > std::ssize(event.anchor.readings)) {
    throw nlohmann::json::other_error::create(599, "of_first_budget is no number of its readings",
                                              &j);
  }
  j.at("sha256").get_to(event.sha256);
  j.at("file").get_to(event.file);
  event.losses_sha256 = j.value("losses_sha256", "");
  event.losses_file = j.value("losses_file", "");
}
static void to_json(nlohmann::json& j, const ConditionsEvent& event) { j = event.conditions; }
static void from_json(const nlohmann::json& j, ConditionsEvent& event) {
  j.get_to(event.conditions);
}
static void to_json(nlohmann::json& j, const AdvancedEvent& event) {
  j = {{"ticket", event.advanced.id},
       {"at", event.advanced.at},
       {"train_loss", event.advanced.train_loss}};
}
static void from_json(const nlohmann::json& j, AdvancedEvent& event) {
  j.at("ticket").get_to(event.advanced.id);
  j.at("at").get_to(event.advanced.at);
  j.at("train_loss").get_to(event.advanced.train_loss);
}
static void to_json(nlohmann::json& j, const ProbedEvent& event) {
  j = {{"ticket", event.probed.id}, {"divergence", event.probed.divergence}};
}
static void from_json(const nlohmann::json& j, ProbedEvent& event) {
  j.at("ticket").get_to(event.probed.id);
  j.at("divergence").get_to(event.probed.divergence);
}

// These two add a key to the members of the struct they hold.
static void to_json(nlohmann::json& j, const BoardEvent& event) {
  j = event.board;
  j["cpu_class"] = event.cpu_class;
  j["on"] = event.on;
}
static void from_json(const nlohmann::json& j, BoardEvent& event) {
  j.get_to(event.board);
  j.at("cpu_class").get_to(event.cpu_class);
  event.on = j.value("on", kOnlyClass);
}
static void to_json(nlohmann::json& j, const TransitionEvent& event) {
  j = event.transition;
  if (event.transition.status == TransitionStatus::kDiverged) j["loss"] = j["accuracy"] = nullptr;
  j["step"] = event.step;
  j["train_loss"] = event.train_loss;
  j["network_sha256"] = event.network_sha256;
  j["ticket"] = event.ticket;
  j["at"] = event.at;
  j["score"] = event.score;
  j["classes"] = event.classes;
}
static void from_json(const nlohmann::json& j, TransitionEvent& event) {
  nlohmann::json transition = j;
  if (transition.at("status") == "diverged") transition["loss"] = transition["accuracy"] = 0.0;
  transition.get_to(event.transition);
  j.at("step").get_to(event.step);
  j.at("train_loss").get_to(event.train_loss);
  event.network_sha256 = j.value("network_sha256", "");
  if (!j.contains("ticket")) return;
  j.at("ticket").get_to(event.ticket);
  j.at("at").get_to(event.at);
  j.at("score").get_to(event.score);
  j.at("classes").get_to(event.classes);
}

BITPILOT_EVENT(BoardInfo)
BITPILOT_EVENT(AgentEvent)
BITPILOT_EVENT(BoardEvent)
BITPILOT_EVENT(ProblemEvent)
BITPILOT_EVENT(AnswersEvent)
BITPILOT_EVENT(ProposalEvent)
BITPILOT_EVENT(MeasurementEvent)
BITPILOT_EVENT(MissingEvent)
BITPILOT_EVENT(TransitionEvent)
BITPILOT_EVENT(AnchorEvent)
BITPILOT_EVENT(ConditionsEvent)
BITPILOT_EVENT(AdvanceEvent)
BITPILOT_EVENT(ProbeEvent)
BITPILOT_EVENT(StopEvent)
BITPILOT_EVENT(KeepsEvent)
BITPILOT_EVENT(PlaceEvent)
BITPILOT_EVENT(PolicyEvent)
BITPILOT_EVENT(AdvancedEvent)
BITPILOT_EVENT(ProbedEvent)
BITPILOT_EVENT(TrainedEvent)
BITPILOT_EVENT(CheckpointEvent)
BITPILOT_EVENT(ArtifactEvent)
BITPILOT_EVENT(EndEvent)
BITPILOT_EVENT(MeasurementConditions)

}  // namespace bitpilot

#include "agent/study/final_event.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "agent/study/event_json.h"

namespace bitpilot {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EnergyFigure, value_uj, uncertainty_uj)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EnergyRatio, value, uncertainty)
}  // namespace bitpilot

// A sensor's name makes a measured energy, in a log as anywhere else.
template <>
struct nlohmann::adl_serializer<bitpilot::MeasuredEnergy> {
  static void to_json(json& j, const bitpilot::MeasuredEnergy& energy) {
    j = {{"tier", ToString(TierOf(energy.sensor()))},
         {"source", energy.source()},
         {"gross", energy.gross()},
         {"net", energy.net()}};
  }
  static bitpilot::MeasuredEnergy from_json(const json& j) {
    const auto sensor = bitpilot::ParseEnergySensor(j.at("tier").get<std::string>());
    if (!sensor.ok()) throw json::other_error::create(599, sensor.status().message(), &j);
    auto energy = bitpilot::MeasuredEnergy::Create(
        *sensor, j.at("source").get<std::string>(), j.at("gross").get<bitpilot::EnergyFigure>(),
        j.at("net").get<std::optional<bitpilot::EnergyFigure>>());
    if (!energy.ok()) throw json::other_error::create(599, energy.status().message(), &j);
    return std::move(*energy);
  }
};

namespace bitpilot {

static void to_json(nlohmann::json& j, FinalistRole role) { j = ToString(role); }
static void from_json(const nlohmann::json& j, FinalistRole& role) {
  const Result<FinalistRole> parsed = ParseFinalistRole(j.get<std::string>());
  if (!parsed.ok()) throw nlohmann::json::other_error::create(599, parsed.status().message(), &j);
  role = *parsed;
}

static void to_json(nlohmann::json& j, TrainingStart start) { j = ToString(start); }
static void from_json(const nlohmann::json& j, TrainingStart& start) {
  const Result<TrainingStart> parsed = ParseTrainingStart(j.get<std::string>());
  if (!parsed.ok()) throw nlohmann::json::other_error::create(599, parsed.status().message(), &j);
  start = *parsed;
}

static void to_json(nlohmann::json& j, Speed speed) { j = ToString(speed); }
static void from_json(const nlohmann::json& j, Speed& speed) {
  constexpr std::array kSpeeds = {Speed::kNoDifference, Speed::kFaster, Speed::kSlower};
  std::array<std::string_view, kSpeeds.size()> words;
  std::transform(kSpeeds.begin(), kSpeeds.end(), words.begin(),
                 [](Speed each) { return ToString(each); });
  ReadWord(j, words, speed);
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PairedCounts, both, only_this, only_reference, neither)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TestEvent, rows)
BITPILOT_DEFINE_GROWN_TYPE(
    FinalRow,
    (role, number, label, assignment, assignment_id, test_accuracy, test_correct, test_total,
     accuracy_low, accuracy_high, paired_difference, paired_low, paired_high, latency_median_ns,
     latency_low_ns, latency_high_ns, ratio, ratio_low, ratio_high, model_energy, model_energy_unit,
     source, weight_bytes, budget_met, measurement_id, kernels),
    (energy, energy_ratio, no_energy_reason, model_energy_ratio, model_energy_error, measure_status,
     measure_detail, speed, speed_p_value, as_fast_as, validation_accuracy, mini_batches,
     final_batches, start, part, no_figures_reason, on, board))
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ClassFinal, on, rows, front, hypervolume, comparisons)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FullIsaRow, row, latency_median_ns, ratio)
BITPILOT_DEFINE_GROWN_TYPE(FullIsa, (isa, rows), (measure_status, measure_detail, comparisons))
// What ToJson() writes of it, which is not all that ParseEvent() reads.
struct PresentFinalEvent : FinalEvent {};
BITPILOT_DEFINE_GROWN_TYPE(PresentFinalEvent, (rows, hypervolume, full_isa),
                           (energy_hypervolume, comparisons, test_readings, no_uniform4, classes))

// Before there were roles, a row's origin and its label told what it is, and other rows were named
// by their labels.
static std::string RoleBeforeRoles(const nlohmann::json& row) {
  const auto origin = row.at("origin").get<std::string>();
  if (origin == "front") return std::string(ToString(FinalistRole::kFront));
  if (origin == "ilp") return std::string(ToString(FinalistRole::kIntegerProgram));
  return row.at("label").get<std::string>();
}
static int RowLabelled(const nlohmann::json& rows, const nlohmann::json& label) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].at("label") == label) return static_cast<int>(i);
  }
  throw nlohmann::json::other_error::create(599, "no row is called " + label.dump(), &label);
}
static nlohmann::json WithRoles(nlohmann::json final) {
  nlohmann::json& rows = final.at("rows");
  int front = 0;
  for (nlohmann::json& row : rows) {
    if (row.contains("role")) continue;
    row["role"] = RoleBeforeRoles(row);
    row["number"] = row["role"] == ToString(FinalistRole::kFront) ? ++front : 0;
    if (row.value("speed", "") == "") row["speed"] = nullptr;
    if (!row.contains("as_fast_as")) continue;
    for (nlohmann::json& other : row["as_fast_as"]) other = RowLabelled(rows, other);
  }
  if (final.at("full_isa").is_null()) return final;
  for (nlohmann::json& row : final["full_isa"].at("rows")) {
    if (!row.contains("row")) row["row"] = RowLabelled(rows, row.at("label"));
  }
  return final;
}
static void to_json(nlohmann::json& j, const FinalEvent& event) { j = PresentFinalEvent{event}; }
static void CheckRow(int row, const FinalEvent& event, const nlohmann::json& j) {
  if (row >= 0 && row < static_cast<int>(event.rows.size())) return;
  throw nlohmann::json::other_error::create(599, "there is no row " + std::to_string(row), &j);
}
static void from_json(const nlohmann::json& j, FinalEvent& event) {
  event = WithRoles(j).get<PresentFinalEvent>();
  for (const FinalRow& row : event.rows) {
    for (const int other : row.as_fast_as) CheckRow(other, event, j);
  }
  for (const ClassFinal& one : event.classes) {
    for (const int row : one.front) CheckRow(row, event, j);
    for (const FinalRow& row : one.rows) {
      for (const int other : row.as_fast_as) CheckRow(other, event, j);
    }
    if (one.rows.size() != event.rows.size()) {
      throw nlohmann::json::other_error::create(599, "class " + one.on + " has other rows", &j);
    }
  }
  if (!event.full_isa) return;
  for (const FullIsaRow& row : event.full_isa->rows) CheckRow(row.row, event, j);
}

BITPILOT_EVENT(TestEvent)
BITPILOT_EVENT(FinalEvent)

}  // namespace bitpilot

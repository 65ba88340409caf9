#include "agent/cli/search_result.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/cli/budget_outcome.h"
#include "agent/cli/energy_json.h"
#include "agent/model/bit_spec.h"
#include "agent/study/chosen_rows.h"
#include "agent/study/training_note.h"
#include "kernels/base/check.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

std::optional<ModelEnergy> ModelEnergyOf(const FinalRow& row) {
  if (!row.model_energy) return std::nullopt;
  return ModelEnergy{*row.model_energy, row.model_energy_unit, row.model_energy_error};
}

// labels: of all rows, in their order.
Json CandidateObject(const Topology& topology, const FinalRow& row,
                     const std::vector<std::string>& labels) {
  Json as_fast_as = Json::array();
  for (const int other : row.as_fast_as) {
    as_fast_as.push_back(labels.at(static_cast<std::size_t>(other)));
  }
  const Json speed = row.speed ? Json(ToString(*row.speed)) : Json(nullptr);
  Json candidate = {
      {"label", row.label},
      {"start", row.start ? Json(ToString(*row.start)) : Json(nullptr)},
      {"final_batches", row.final_batches ? Json(*row.final_batches) : Json(nullptr)},
      {"validation_accuracy",
       row.validation_accuracy ? Json(*row.validation_accuracy) : Json(nullptr)},
      {"mini_batches", row.mini_batches ? Json(*row.mini_batches) : Json(nullptr)},
      {"no_figures_reason",
       row.no_figures_reason.empty() ? Json(nullptr) : Json(row.no_figures_reason)},
      {"accuracy", nullptr},
      {"accuracy_ci", nullptr},
      {"accuracy_difference_int8", nullptr},
      {"accuracy_difference_int8_ci", nullptr},
      {"test_correct", row.test_correct},
      {"test_images", row.test_total},
      {"latency_median_ns", nullptr},
      {"latency_ci_ns", nullptr},
      {"latency_ratio_int8", nullptr},
      {"latency_ratio_int8_ci", nullptr},
      {"class", row.on.empty() ? Json(nullptr) : Json(row.on)},
      {"board", row.board.empty() ? Json(nullptr) : Json(row.board)},
      {"source", row.source},
      {"weight_bytes", row.weight_bytes},
      {"model_energy", ModelEnergyJson(ModelEnergyOf(row), row.model_energy_ratio, row.source)},
      {"budget_met", row.budget_met},
      {"speed_int8", speed},
      {"speed_p_value", row.speed ? Json(row.speed_p_value) : Json(nullptr)},
      {"as_fast_as", std::move(as_fast_as)},
      {"part", row.part},
      {"measure_status", row.measure_status},
      {"measure_detail", row.measure_detail},
      {"kernels", row.kernels}};
  // So that the object is a file that --bits takes.
  const Result<BitAssignment> assignment = ParseCanonicalAssignment(topology, row.assignment);
  candidate.update(assignment.ok() ? AssignmentToJson(topology, *assignment)
                                   : Json::parse(row.assignment));
  AddEnergy(row.energy, row.energy_ratio, row.no_energy_reason, candidate);
  if (row.no_figures_reason.empty()) {
    candidate["accuracy"] = row.test_accuracy;
    candidate["accuracy_ci"] = {row.accuracy_low, row.accuracy_high};
    candidate["accuracy_difference_int8"] = row.paired_difference;
    candidate["accuracy_difference_int8_ci"] = {row.paired_low, row.paired_high};
  }
  if (row.latency_median_ns) {
    candidate["latency_median_ns"] = *row.latency_median_ns;
    candidate["latency_ci_ns"] = {row.latency_low_ns, row.latency_high_ns};
  }
  if (row.ratio) {
    candidate["latency_ratio_int8"] = *row.ratio;
    candidate["latency_ratio_int8_ci"] = {row.ratio_low, row.ratio_high};
  }
  return candidate;
}

Json LabelsOf(const std::vector<const FinalRow*>& rows) {
  Json labels = Json::array();
  for (const FinalRow* row : rows) labels.push_back(row->label);
  return labels;
}

Json LabelOf(const FinalRow* row) { return row == nullptr ? Json(nullptr) : Json(row->label); }

Json FullIsaObject(const FullIsa& full_isa, const std::vector<std::string>& labels) {
  Json rows = Json::array();
  for (const FullIsaRow& row : full_isa.rows) {
    rows.push_back({{"label", labels.at(static_cast<std::size_t>(row.row))},
                    {"latency_median_ns", row.latency_median_ns},
                    {"latency_ratio_int8", row.ratio}});
  }
  return {{"isa", full_isa.isa},
          {"rows", rows},
          {"measure_status", full_isa.measure_status},
          {"measure_detail", full_isa.measure_detail},
          {"comparisons", full_isa.comparisons}};
}

// What a class found, and uniform 8 and 4 bit there.
Json ClassObject(const Topology& topology, const ClassFinal& one,
                 const std::vector<std::string>& labels) {
  Json object = {{"front", Json::array()},
                 {"reference", Json::object()},
                 {"hypervolume", one.hypervolume},
                 {"comparisons", one.comparisons}};
  for (const FinalRow& row : one.rows) {
    if (!IsReference(row.role)) continue;
    const char* const name = row.role == FinalistRole::kUniform8 ? "w8a8" : "w4a4";
    object["reference"][name] = CandidateObject(topology, row, labels);
  }
  for (const int member : one.front) {
    object["front"].push_back(
        CandidateObject(topology, one.rows.at(static_cast<std::size_t>(member)), labels));
  }
  return object;
}

// How the boards of a class were compared; none of a class of one board, which needs no comparison.
Json CalibrationObject(const CalibrationEvent& event) {
  Json boards = Json::array();
  for (const CalibratedBoard& board : event.boards) {
    Json one = {{"board", board.board},      {"pooled", board.is_pooled},
                {"latency_factor", nullptr}, {"residual", nullptr},
                {"noise", nullptr},          {"detail", DescribeCalibration(event, board)}};
    if (board.agreement) {
      one["latency_factor"] = board.agreement->factor;
      one["residual"] = board.agreement->residual;
      one["noise"] = board.agreement->noise;
    }
    boards.push_back(std::move(one));
  }
  return {{"boards", std::move(boards)},         {"reference", event.reference},
          {"networks", event.networks},          {"last_resort", event.is_last_resort},
          {"max_residual", kMaxResidual},        {"max_ratio_difference", kMaxRatioDifference},
          {"board_seconds", event.board_seconds}};
}

// A search on one class has that alone, with what the search found.
std::vector<ClassFinal> ClassFinalsOf(const SearchConfig& config, const FinalEvent& final) {
  if (!final.classes.empty()) return final.classes;
  ClassFinal only{ClassesOf(config).front(), final.rows, {}, final.hypervolume, final.comparisons};
  for (std::size_t i = 0; i < final.rows.size(); ++i) {
    if (final.rows[i].role == FinalistRole::kFront) only.front.push_back(static_cast<int>(i));
  }
  return {std::move(only)};
}

Json BudgetsArray(const SearchOutcome& outcome) {
  Json budgets = Json::array();
  for (const BudgetDistance& one : DistancesTo(outcome.config.budgets, outcome.final)) {
    const bool is_known = one.unknown.empty();
    const bool gives_alone = !one.alone.empty();
    budgets.push_back(
        {{"flag", one.flag},
         {"limit", one.limit},
         {"unknown", is_known ? Json(nullptr) : Json(one.unknown)},
         {"nearest", is_known ? Json(one.nearest) : Json(nullptr)},
         {"nearest_value", is_known ? Json(one.nearest_value) : Json(nullptr)},
         {"nearest_test_accuracy",
          one.nearest_test_accuracy ? Json(*one.nearest_test_accuracy) : Json(nullptr)},
         {"alone", gives_alone ? Json(one.alone) : Json(nullptr)},
         {"alone_value", gives_alone ? Json(one.alone_value) : Json(nullptr)}});
  }
  return budgets;
}

Json OutsideBudgetsObject(const SearchOutcome& outcome) {
  const TrainingBeside beside = TrainingBesideOf(outcome.anchor, outcome.final);
  return {{"uniform8_alone", beside.uniform8_alone},
          {"final_networks", beside.final_networks},
          {"final_batches", beside.final_batches}};
}

}  // namespace

nlohmann::json SearchResultLine(const SearchOutcome& outcome, const std::string& study_path) {
  const FinalEvent& final = outcome.final;
  std::vector<std::string> labels;
  for (const FinalRow& row : final.rows) labels.push_back(row.label);
  Json line = {
      {"type", "result"},
      {"study", study_path},
      {"policy", outcome.config.policy},
      {"seed", outcome.config.seed},
      {"measurements", outcome.decisions},
      {"hypervolume", final.hypervolume},
      {"hypervolume_energy", nullptr},
      {"front", Json::array()},
      {"reference", Json::object()},
      {"ilp_start", nullptr},
      {"chosen",
       {{"within_1_point", LabelOf(FastestWithin(final, 1))},
        {"within_3_points", LabelOf(FastestWithin(final, 3))},
        {"most_accurate", LabelOf(MostAccurateOnValidation(final))},
        {"not_from_search_but_better",
         {{"within_1_point", LabelsOf(NotFromSearchButFaster(final, 1))},
          {"within_3_points", LabelsOf(NotFromSearchButFaster(final, 3))},
          {"most_accurate", LabelsOf(NotFromSearchButMoreAccurate(final))}}}}},
      {"classes", Json::object()},
      {"objective", outcome.config.objective},
      {"budget_met", AnyCandidateMeetsBudgets(final)},
      {"interrupted", false},
      {"full_isa", final.full_isa ? FullIsaObject(*final.full_isa, labels) : Json(nullptr)},
      {"comparisons", final.comparisons},
      {"test_readings", final.test_readings},
      {"no_w4a4", final.no_uniform4.empty() ? Json(nullptr) : Json(final.no_uniform4)},
      {"mini_batches_outside_budgets", OutsideBudgetsObject(outcome)},
      {"budgets", BudgetsArray(outcome)}};
  if (final.energy_hypervolume) line["hypervolume_energy"] = *final.energy_hypervolume;
  const Result<Topology> topology = StandardTopology(outcome.config.model);
  BITPILOT_CHECK(topology.ok());  // it was searched
  for (const FinalRow& row : final.rows) {
    Json candidate = CandidateObject(*topology, row, labels);
    // A mean of times of different classes is no latency.
    if (!final.classes.empty() && row.on.empty()) {
      candidate["latency_median_ns"] = candidate["latency_ci_ns"] = nullptr;
    }
    switch (row.role) {
      case FinalistRole::kUniform8:
        line["reference"]["w8a8"] = std::move(candidate);
        break;
      case FinalistRole::kUniform4:
        line["reference"]["w4a4"] = std::move(candidate);
        break;
      case FinalistRole::kIntegerProgram:
        line["ilp_start"] = std::move(candidate);
        break;
      case FinalistRole::kFront:
        line["front"].push_back(std::move(candidate));
        break;
      case FinalistRole::kClassFront:
        break;  // of "classes" alone
    }
  }
  for (const ClassFinal& one : ClassFinalsOf(outcome.config, final)) {
    line["classes"][one.on] = ClassObject(*topology, one, labels);
    line["classes"][one.on]["calibration"] = nullptr;
  }
  for (const CalibrationEvent& event : outcome.calibrations) {
    line["classes"][event.on]["calibration"] = CalibrationObject(event);
  }
  return line;
}

bool AnyCandidateWasMeasured(const FinalEvent& final) {
  // The integer program's answer is there also if every candidate of the search failed.
  const bool has_front = std::any_of(final.rows.begin(), final.rows.end(),
                                     [](const FinalRow& row) { return IsFound(row.role); });
  return has_front && std::any_of(final.rows.begin(), final.rows.end(), [](const FinalRow& row) {
           return !IsReference(row.role) && row.latency_median_ns.has_value();
         });
}

bool AnyCandidateMeetsBudgets(const FinalEvent& final) {
  for (const FinalRow& row : final.rows) {
    if (!IsReference(row.role) && row.budget_met) return true;
  }
  return false;
}

}  // namespace bitpilot

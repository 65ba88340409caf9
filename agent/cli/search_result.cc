#include "agent/cli/search_result.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "agent/cli/budget_outcome.h"
#include "agent/cli/energy_json.h"
#include "agent/study/chosen_rows.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

std::optional<ModelEnergy> ModelEnergyOf(const FinalRow& row) {
  if (!row.model_energy) return std::nullopt;
  return ModelEnergy{*row.model_energy, row.model_energy_unit, row.model_energy_error};
}

Json Candidate(const FinalRow& row) {
  const Json assignment = Json::parse(row.assignment);
  Json candidate = {
      {"label", row.label},
      {"weight_bits", assignment.at("weight_bits")},
      {"activation_bits", assignment.at("activation_bits")},
      {"validation_accuracy",
       row.validation_accuracy ? Json(*row.validation_accuracy) : Json(nullptr)},
      {"mini_batches", row.mini_batches ? Json(*row.mini_batches) : Json(nullptr)},
      {"accuracy", row.test_accuracy},
      {"accuracy_ci", {row.accuracy_low, row.accuracy_high}},
      {"accuracy_difference_int8", row.paired_difference},
      {"accuracy_difference_int8_ci", {row.paired_low, row.paired_high}},
      {"test_correct", row.test_correct},
      {"test_images", row.test_total},
      {"latency_median_ns", nullptr},
      {"latency_ci_ns", nullptr},
      {"latency_ratio_int8", nullptr},
      {"latency_ratio_int8_ci", nullptr},
      {"source", row.source},
      {"weight_bytes", row.weight_bytes},
      {"model_energy", ModelEnergyJson(ModelEnergyOf(row), row.model_energy_ratio, row.source)},
      {"budget_met", row.budget_met},
      {"speed_int8", row.speed.empty() ? Json(nullptr) : Json(row.speed)},
      {"speed_p_value", row.speed.empty() ? Json(nullptr) : Json(row.speed_p_value)},
      {"as_fast_as", row.as_fast_as},
      {"part", row.part},
      {"measure_status", row.measure_status},
      {"measure_detail", row.measure_detail},
      {"kernels", row.kernels}};
  AddEnergy(row.energy, row.energy_ratio, row.no_energy_reason, candidate);
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

Json LabelOf(const FinalRow* row) { return row == nullptr ? Json(nullptr) : Json(row->label); }

Json FullIsaObject(const FullIsa& full_isa) {
  Json rows = Json::array();
  for (const FullIsaRow& row : full_isa.rows) {
    rows.push_back({{"label", row.label},
                    {"latency_median_ns", row.latency_median_ns},
                    {"latency_ratio_int8", row.ratio}});
  }
  return {{"isa", full_isa.isa},
          {"rows", rows},
          {"measure_status", full_isa.measure_status},
          {"measure_detail", full_isa.measure_detail},
          {"comparisons", full_isa.comparisons}};
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

}  // namespace

nlohmann::json SearchResultLine(const SearchOutcome& outcome, const std::string& study_path) {
  const FinalEvent& final = outcome.final;
  Json line = {{"type", "result"},
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
                 {"most_accurate", LabelOf(MostAccurateOnValidation(final))}}},
               {"budget_met", AnyCandidateMeetsBudgets(final)},
               {"interrupted", false},
               {"full_isa", final.full_isa ? FullIsaObject(*final.full_isa) : Json(nullptr)},
               {"comparisons", final.comparisons},
               {"budgets", BudgetsArray(outcome)}};
  if (final.energy_hypervolume) line["hypervolume_energy"] = *final.energy_hypervolume;
  for (const FinalRow& row : final.rows) {
    if (row.origin == "front") line["front"].push_back(Candidate(row));
    if (row.origin == "ilp") line["ilp_start"] = Candidate(row);
    if (row.label == "uniform 8 bit") line["reference"]["w8a8"] = Candidate(row);
    if (row.label == "uniform 4 bit") line["reference"]["w4a4"] = Candidate(row);
  }
  return line;
}

bool AnyCandidateWasMeasured(const FinalEvent& final) {
  return std::any_of(final.rows.begin(), final.rows.end(), [](const FinalRow& row) {
    return row.origin != "reference" && row.latency_median_ns.has_value();
  });
}

bool AnyCandidateMeetsBudgets(const FinalEvent& final) {
  for (const FinalRow& row : final.rows) {
    if (row.origin != "reference" && row.budget_met) return true;
  }
  return false;
}

}  // namespace bitpilot

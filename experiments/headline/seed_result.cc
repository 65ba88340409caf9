#include "experiments/headline/seed_result.h"

#include <nlohmann/json.hpp>

#include "kernels/base/file_io.h"

namespace bitpilot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Training, name, validation_accuracy)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainedRow, name, training, trainings, validation_accuracy,
                                   predictions, latency_ratio, latency_low, latency_high,
                                   found_ratio, has_found_widths)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Machine, agent_build, kernel_build, cpu)

namespace {

nlohmann::json OptionalToJson(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

std::optional<double> OptionalFromJson(const nlohmann::json& json) {
  if (json.is_null()) return std::nullopt;
  return json.get<double>();
}

nlohmann::json SeedToJson(const SeedResult& result) {
  return {{"seed", result.seed},
          {"machine", result.machine},
          {"found_label", result.found_label},
          {"found_batches", result.found_batches},
          {"reference_batches", result.reference_batches},
          {"found_is_program_answer", result.found_is_program_answer},
          {"search_seconds", OptionalToJson(result.search_seconds)},
          {"search_cpu_seconds", OptionalToJson(result.search_cpu_seconds)},
          {"comparisons", result.comparisons},
          {"verdict", result.verdict},
          {"labels", result.labels},
          {"rows", result.rows}};
}

SeedResult SeedFromJson(const nlohmann::json& json) {
  SeedResult result;
  json.at("seed").get_to(result.seed);
  json.at("machine").get_to(result.machine);
  json.at("found_label").get_to(result.found_label);
  json.at("found_batches").get_to(result.found_batches);
  json.at("reference_batches").get_to(result.reference_batches);
  json.at("found_is_program_answer").get_to(result.found_is_program_answer);
  result.search_seconds = OptionalFromJson(json.at("search_seconds"));
  result.search_cpu_seconds = OptionalFromJson(json.at("search_cpu_seconds"));
  json.at("comparisons").get_to(result.comparisons);
  json.at("verdict").get_to(result.verdict);
  json.at("labels").get_to(result.labels);
  json.at("rows").get_to(result.rows);
  return result;
}

}  // namespace

Result<std::string> ClassDigits(const std::vector<std::uint8_t>& classes) {
  std::string digits;
  for (const std::uint8_t each : classes) {
    if (each > 9) {
      return Status(StatusCode::kUnsupported, "class " + std::to_string(each) +
                                                  ": expected 0 to 9, which are kept as digits");
    }
    digits += static_cast<char>('0' + each);
  }
  return digits;
}

std::size_t BestTraining(const std::vector<Training>& trainings) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < trainings.size(); ++i) {
    if (trainings[i].validation_accuracy > trainings[best].validation_accuracy) best = i;
  }
  return best;
}

Status WriteSeedResult(const std::string& path, const SeedResult& result) {
  return WriteFileAtomically(path, SeedToJson(result).dump(2) + "\n");
}

Result<SeedResult> ReadSeedResult(const std::string& path) {
  const Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  try {
    return SeedFromJson(nlohmann::json::parse(*text));
  } catch (const nlohmann::json::exception& error) {
    return DataCorrupt(path + ": expected what `headline measure` wrote: " + error.what());
  }
}

}  // namespace bitpilot

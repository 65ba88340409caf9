#include "agent/session/search_config.h"

#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "kernels/base/quoted.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

const std::set<std::string> kLaterKeys = {
    "fast", "cpu", "energy", "meter", "max_energy_ratio", "device_sha256"};

Status ValidateEnergy(const SearchConfig& config) {
  if (config.energy != "auto" && config.energy != "none" && config.energy != "search") {
    return InvalidArgument("--energy takes auto, none or search, got \"" + config.energy + "\"");
  }
  const std::optional<double>& limit = config.budgets.max_energy_ratio;
  if (limit && !(*limit > 0 && std::isfinite(*limit))) {
    return InvalidArgument("--max-energy must be a positive ratio to uniform 8 bit such as 0.7x");
  }
  if (limit && config.energy == "none") {
    return InvalidArgument("--max-energy needs energies: leave out --energy none");
  }
  if (!config.cpu.empty() && !config.device.starts_with("local")) {
    return InvalidArgument(
        "--cpu is for --device local; a board of a fleet has its own (bitpilotd serve --cpu), and "
        "a model measures on none");
  }
  if (!config.meter.empty() && !config.device.starts_with("local")) {
    return InvalidArgument(
        "--meter is for --device local; a board of a fleet has its own (bitpilotd serve --meter)");
  }
  return Status();
}

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <typename T>
void ReadOptional(const Json& json, std::optional<T>& value) {
  if (!json.is_null()) value = json.get<T>();
}

Status CheckWidths(const char* flag, const std::vector<int>& widths) {
  if (widths.empty())
    return InvalidArgument(std::string(flag) + " needs at least one width in 1..8");
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string got = ", got " + std::to_string(widths[i]);
    if (widths[i] < 1 || widths[i] > 8)
      return InvalidArgument(std::string(flag) + ": widths must be in 1..8" + got);
    if (i > 0 && widths[i] <= widths[i - 1]) {
      return InvalidArgument(std::string(flag) + ": widths must be ascending and distinct" + got +
                             " after " + std::to_string(widths[i - 1]));
    }
  }
  return Status();
}

// A study is JSON, and what could not be read from it again would be another search.
Status CheckTexts(const SearchConfig& config) {
  const std::pair<const char*, const std::string*> texts[] = {
      {"--model", &config.model},   {"--weights", &config.weights}, {"--data", &config.data},
      {"--device", &config.device}, {"--fleet", &config.fleet},     {"--board", &config.board},
      {"--energy", &config.energy}, {"--cpu", &config.cpu},         {"--meter", &config.meter},
      {"--policy", &config.policy}};
  for (const auto& [flag, text] : texts) {
    if (IsUtf8(*text)) continue;
    return InvalidArgument(std::string(flag) + " " + Quoted(*text) +
                           ": the study records it, so it must be UTF-8; use another name or a " +
                           "symbolic link");
  }
  return Status();
}

Status CheckAtLeast(const char* flag, double value, double minimum) {
  if (std::isfinite(value) && value >= minimum) return Status();
  return InvalidArgument(std::string(flag) + " must be at least " + Json(minimum).dump() +
                         ", got " + Json(value).dump());
}

}  // namespace

bool SearchesEnergy(const SearchConfig& config) {
  return config.energy == "search" || config.budgets.max_energy_ratio.has_value();
}

bool operator==(const SearchConfig& a, const SearchConfig& b) { return ToJson(a) == ToJson(b); }

Json ToJson(const SearchConfig& config) {
  return Json{{"model", config.model},
              {"weights", config.weights},
              {"weights_sha256", config.weights_sha256},
              {"data", config.data},
              {"data_sha256", config.data_sha256},
              {"device", config.device},
              {"device_sha256", config.device_sha256},
              {"fleet", config.fleet},
              {"board", config.board},
              {"fast", config.fast},
              {"cpu", config.cpu},
              {"energy", config.energy},
              {"meter", config.meter},
              {"policy", config.policy},
              {"weight_widths", config.weight_widths},
              {"activation_widths", config.activation_widths},
              {"search_ends", config.search_ends},
              {"max_latency_ratio", OrNull(config.budgets.max_latency_ratio)},
              {"max_energy_ratio", OrNull(config.budgets.max_energy_ratio)},
              {"max_weight_bytes", OrNull(config.budgets.max_weight_bytes)},
              {"min_accuracy", OrNull(config.budgets.min_accuracy)},
              {"measurements", config.measurements},
              {"seed", config.seed},
              {"train_batches", config.train_batches},
              {"batch_size", config.batch_size},
              {"learning_rate", config.learning_rate},
              {"distill", config.distill},
              {"calibration_images", config.calibration_images},
              {"table_seconds", config.table_seconds}};
}

Result<SearchConfig> SearchConfigFromJson(const Json& json) {
  SearchConfig config;
  const Json expected = ToJson(config);
  if (!json.is_object()) return InvalidArgument("the search configuration must be a JSON object");
  for (const auto& [key, value] : json.items()) {
    if (!expected.contains(key))
      return InvalidArgument("unknown key \"" + key + "\" in the search configuration");
  }
  for (const auto& [key, value] : expected.items()) {
    if (!json.contains(key) && !kLaterKeys.contains(key))
      return InvalidArgument("the search configuration lacks \"" + key + "\"");
  }
  try {
    json.at("model").get_to(config.model);
    json.at("weights").get_to(config.weights);
    json.at("weights_sha256").get_to(config.weights_sha256);
    json.at("data").get_to(config.data);
    json.at("data_sha256").get_to(config.data_sha256);
    json.at("device").get_to(config.device);
    config.device_sha256 = json.value("device_sha256", "");
    json.at("fleet").get_to(config.fleet);
    json.at("board").get_to(config.board);
    config.fast = json.value("fast", false);
    config.cpu = json.value("cpu", "");
    // A search that knew nothing of energy measured none.
    config.energy = json.value("energy", "none");
    config.meter = json.value("meter", "");
    json.at("policy").get_to(config.policy);
    json.at("weight_widths").get_to(config.weight_widths);
    json.at("activation_widths").get_to(config.activation_widths);
    json.at("search_ends").get_to(config.search_ends);
    ReadOptional(json.at("max_latency_ratio"), config.budgets.max_latency_ratio);
    ReadOptional(json.value("max_energy_ratio", Json()), config.budgets.max_energy_ratio);
    ReadOptional(json.at("max_weight_bytes"), config.budgets.max_weight_bytes);
    ReadOptional(json.at("min_accuracy"), config.budgets.min_accuracy);
    json.at("measurements").get_to(config.measurements);
    json.at("seed").get_to(config.seed);
    json.at("train_batches").get_to(config.train_batches);
    json.at("batch_size").get_to(config.batch_size);
    json.at("learning_rate").get_to(config.learning_rate);
    json.at("distill").get_to(config.distill);
    json.at("calibration_images").get_to(config.calibration_images);
    json.at("table_seconds").get_to(config.table_seconds);
  } catch (const Json::exception& error) {
    return InvalidArgument(std::string("search configuration: ") + error.what());
  }
  BITPILOT_RETURN_IF_ERROR(ValidateSearchConfig(config));
  return config;
}

Status ValidateSearchConfig(const SearchConfig& config) {
  BITPILOT_RETURN_IF_ERROR(CheckTexts(config));
  BITPILOT_RETURN_IF_ERROR(CheckWidths("--weight-widths", config.weight_widths));
  BITPILOT_RETURN_IF_ERROR(CheckWidths("--activation-widths", config.activation_widths));
  if (config.device.empty() == config.fleet.empty()) {
    return InvalidArgument(
        "give either --device (local[:ISA] or model:TABLE) or --fleet fleet.toml");
  }
  BITPILOT_RETURN_IF_ERROR(ValidateEnergy(config));
  BITPILOT_RETURN_IF_ERROR(CheckAtLeast("--measurements", config.measurements, 1));
  BITPILOT_RETURN_IF_ERROR(CheckAtLeast("--train-batches", config.train_batches, 0));
  BITPILOT_RETURN_IF_ERROR(CheckAtLeast("--batch-size", config.batch_size, 2));
  BITPILOT_RETURN_IF_ERROR(CheckAtLeast("--learning-rate", config.learning_rate, 0.0));
  BITPILOT_RETURN_IF_ERROR(CheckAtLeast("--calibration-images", config.calibration_images, 16));
  BITPILOT_RETURN_IF_ERROR(CheckAtLeast("--table-seconds", config.table_seconds, 1));
  const Budgets& budgets = config.budgets;
  if (budgets.max_latency_ratio &&
      !(*budgets.max_latency_ratio > 0 && std::isfinite(*budgets.max_latency_ratio))) {
    return InvalidArgument("--max-latency must be a positive ratio to uniform 8 bit such as 0.7x");
  }
  if (budgets.max_weight_bytes && *budgets.max_weight_bytes <= 0) {
    return InvalidArgument("--max-size must be a positive number of bytes");
  }
  if (budgets.min_accuracy && !(*budgets.min_accuracy >= 0 && *budgets.min_accuracy <= 1)) {
    return InvalidArgument("--min-accuracy is a fraction in [0, 1], e.g. 0.85");
  }
  return Status();
}

Status CheckBatchSize(int batch_size, std::size_t training_images) {
  if (static_cast<std::size_t>(batch_size) <= training_images) return Status();
  return InvalidArgument("--batch-size " + std::to_string(batch_size) + ": the data has only " +
                         std::to_string(training_images) + " training images");
}

}  // namespace bitpilot

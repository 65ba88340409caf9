#include "agent/study/search_config.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

#include "agent/study/config_fields.h"
#include "agent/study/events.h"
#include "kernels/base/joined.h"
#include "kernels/base/quoted.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr int kLeastFinalBatches = 20;
constexpr int kSearchToFinal = 5;  // mini-batches of the search to one of the final training

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

Json ValueToJson(const ConfigField& field, SearchConfig& config) {
  return std::visit(
      [&](auto* value) -> Json {
        using T = std::remove_pointer_t<decltype(value)>;
        if constexpr (IsOptional<T>::value) {
          return value->has_value() ? Json(**value) : Json(nullptr);
        } else if constexpr (std::is_same_v<T, std::string>) {
          if (field.form == FlagForm::kObject) return Json::parse(*value, nullptr, false);
          return *value;
        } else {
          return *value;
        }
      },
      field.value(config));
}

// Throws what nlohmann's readers do.
void ReadValue(const ConfigField& field, const Json& json, SearchConfig& config) {
  std::visit(
      [&](auto* value) {
        using T = std::remove_pointer_t<decltype(value)>;
        if constexpr (IsOptional<T>::value) {
          value->reset();
          if (!json.is_null()) *value = json.get<typename T::value_type>();
        } else if constexpr (std::is_same_v<T, std::string>) {
          *value = field.form == FlagForm::kObject ? json.dump() : json.get<std::string>();
        } else {
          json.get_to(*value);
        }
      },
      field.value(config));
}

Status CheckWidths(const ConfigField& field, const std::vector<int>& widths) {
  const std::string flag(field.flag);
  if (widths.empty()) return InvalidArgument(flag + " needs at least one width in 1..8");
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string got = ", got " + std::to_string(widths[i]);
    if (widths[i] < field.min || widths[i] > field.max)
      return InvalidArgument(flag + ": widths must be in 1..8" + got);
    if (i > 0 && widths[i] <= widths[i - 1]) {
      return InvalidArgument(flag + ": widths must be ascending and distinct" + got + " after " +
                             std::to_string(widths[i - 1]));
    }
  }
  return Status();
}

// A study is JSON, and what could not be read from it again would be another search.
Status CheckText(const ConfigField& field, const std::string& text) {
  const std::string flag(field.flag);
  if (!IsUtf8(text)) {
    return InvalidArgument(flag + " " + Quoted(text) +
                           ": the study records it, so it must be UTF-8; use another name or a " +
                           "symbolic link");
  }
  if (field.form != FlagForm::kObject) return Status();
  if (Json::parse(text, nullptr, /*allow_exceptions=*/false).is_object()) return Status();
  return InvalidArgument(flag + " takes a JSON object such as {\"name\":1}, got " + Quoted(text));
}

Status CheckNumber(const ConfigField& field, double value) {
  const std::string flag(field.flag);
  if (field.form == FlagForm::kRatio) {
    if (std::isfinite(value) && value > 0) return Status();
    return InvalidArgument(flag + " must be a positive ratio to uniform 8 bit such as 0.7x");
  }
  if (std::isfinite(value) && value >= field.min && value <= field.max) return Status();
  return InvalidArgument(flag + " must be in " + Json(field.min).dump() + ".." +
                         Json(field.max).dump() + ", got " + Json(value).dump());
}

Status CheckField(const ConfigField& field, SearchConfig& config) {
  return std::visit(
      [&](auto* value) -> Status {
        using T = std::remove_pointer_t<decltype(value)>;
        if constexpr (IsOptional<T>::value) {
          return value->has_value() ? CheckNumber(field, static_cast<double>(**value)) : Status();
        } else if constexpr (std::is_same_v<T, std::string>) {
          return CheckText(field, *value);
        } else if constexpr (std::is_same_v<T, std::vector<int>>) {
          return CheckWidths(field, *value);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          for (const std::string& text : *value) {
            BITPILOT_RETURN_IF_ERROR(CheckText(field, text));
          }
          return Status();
        } else if constexpr (std::is_same_v<T, int> || std::is_same_v<T, double>) {
          return CheckNumber(field, static_cast<double>(*value));
        } else {
          return Status();  // every bool and every seed
        }
      },
      field.value(config));
}

Status CheckEnergy(const SearchConfig& config) {
  if (config.energy != "auto" && config.energy != "none" && config.energy != "search") {
    return InvalidArgument("--energy takes auto, none or search, got \"" + config.energy + "\"");
  }
  if (config.budgets.max_energy_ratio && config.energy == "none") {
    return InvalidArgument("--max-energy needs energies: leave out --energy none");
  }
  return Status();
}

Status CheckClasses(const SearchConfig& config) {
  const std::vector<std::string>& classes = config.classes;
  if (!classes.empty() && config.fleet.empty()) {
    return InvalidArgument("--class is a tag of boards in a fleet file: give --fleet FILE, too");
  }
  if (!classes.empty() && !config.board.empty()) {
    return InvalidArgument("--board " + config.board +
                           " is one board, --class all boards with a tag: give one of them");
  }
  for (auto tag = classes.begin(); tag != classes.end(); ++tag) {
    if (tag->empty() || *tag == "worst" || *tag == "mean") {
      return InvalidArgument(
          "--class " + Quoted(*tag) +
          ": a class needs a name, and not one that --objective takes otherwise");
    }
    if (std::find(classes.begin(), tag, *tag) != tag) {
      return InvalidArgument("--class " + Quoted(*tag) + " is given twice");
    }
  }
  const std::vector<std::string> known = ClassesOf(config);
  if (config.objective == "worst" || config.objective == "mean" ||
      std::find(known.begin(), known.end(), config.objective) != known.end()) {
    return Status();
  }
  return InvalidArgument("--objective takes worst, mean or a class of the search (" +
                         Joined(known) + "), got " + Quoted(config.objective));
}

Status CheckLocalParts(const SearchConfig& config) {
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

Status CheckTraining(const SearchConfig& config) {
  if (config.final_batches && config.final_epochs) {
    return InvalidArgument("--final-batches and --final-epochs say the same: give one of them");
  }
  if (config.teacher.empty()) return Status();
  if (!config.distill) {
    return InvalidArgument("--teacher is what is distilled from: leave out --no-distill");
  }
  return ParseTeacher(config.teacher).status();
}

}  // namespace

std::vector<std::string> ClassesOf(const SearchConfig& config) {
  return config.classes.empty() ? std::vector<std::string>{kOnlyClass} : config.classes;
}

bool SearchesEnergy(const SearchConfig& config) {
  return config.energy == "search" || config.budgets.max_energy_ratio.has_value();
}

bool operator==(const SearchConfig& a, const SearchConfig& b) { return ToJson(a) == ToJson(b); }

Json ToJson(const SearchConfig& config) {
  SearchConfig copy = config;
  Json json = Json::object();
  for (const ConfigField& field : ConfigFields()) {
    if (!field.key.empty()) json[std::string(field.key)] = ValueToJson(field, copy);
  }
  return json;
}

Result<SearchConfig> SearchConfigFromJson(const Json& json) {
  if (!json.is_object()) return InvalidArgument("the search configuration must be a JSON object");
  SearchConfig config;
  std::set<std::string> known;
  for (const ConfigField& field : ConfigFields()) {
    if (field.key.empty()) continue;
    const std::string key(field.key);
    known.insert(key);
    if (!json.contains(key) && field.if_missing.empty()) {
      return InvalidArgument("the search configuration lacks \"" + key + "\"");
    }
    try {
      ReadValue(field, json.contains(key) ? json.at(key) : Json::parse(field.if_missing), config);
    } catch (const Json::exception& error) {
      return InvalidArgument("search configuration: " + key + ": " + error.what());
    }
  }
  for (const auto& [key, value] : json.items()) {
    if (known.contains(key)) continue;
    return InvalidArgument("unknown key \"" + key + "\" in the search configuration");
  }
  BITPILOT_RETURN_IF_ERROR(ValidateSearchConfig(config));
  return config;
}

Status CheckMiniBatches(const SearchConfig& config, std::int64_t measurements) {
  const std::int64_t all = config.train_batches * measurements;
  if (measurements <= kMaxMiniBatchesOfASearch && all <= kMaxMiniBatchesOfASearch) return Status();
  return InvalidArgument("--train-batches " + std::to_string(config.train_batches) + " x " +
                         std::to_string(measurements) + " measurements are more than the " +
                         std::to_string(kMaxMiniBatchesOfASearch) +
                         " mini-batches that a search counts");
}

Status ValidateSearchConfig(const SearchConfig& config) {
  SearchConfig copy = config;
  for (const ConfigField& field : ConfigFields()) {
    BITPILOT_RETURN_IF_ERROR(CheckField(field, copy));
  }
  if (config.device.empty() == config.fleet.empty()) {
    return InvalidArgument(
        "give either --device (local[:ISA] or model:TABLE) or --fleet fleet.toml");
  }
  if (config.granularity != "layer" && config.granularity != "group" &&
      config.granularity != "channel") {
    return InvalidArgument("--granularity takes layer, group or channel, got " +
                           Quoted(config.granularity));
  }
  BITPILOT_RETURN_IF_ERROR(CheckMiniBatches(config, config.measurements));
  BITPILOT_RETURN_IF_ERROR(CheckEnergy(config));
  BITPILOT_RETURN_IF_ERROR(CheckClasses(config));
  BITPILOT_RETURN_IF_ERROR(CheckLocalParts(config));
  return CheckTraining(config);
}

void SettleFinalBatches(std::size_t training_images, SearchConfig& config) {
  if (config.final_epochs) {
    const double batches =
        *config.final_epochs * static_cast<double>(training_images) / config.batch_size;
    config.final_batches = static_cast<int>(std::ceil(std::min(batches, 1e9)));
    config.final_epochs.reset();
  }
  if (config.final_batches) return;
  const std::int64_t search = static_cast<std::int64_t>(config.train_batches) * config.measurements;
  const std::int64_t share = search / kSearchToFinal / kMaxFinalNetworks;
  config.final_batches =
      config.train_batches == 0
          ? 0
          : static_cast<int>(std::clamp<std::int64_t>(share, kLeastFinalBatches, 1'000'000));
}

Status CheckBatchSize(int batch_size, std::size_t training_images) {
  if (static_cast<std::size_t>(batch_size) <= training_images) return Status();
  return InvalidArgument("--batch-size " + std::to_string(batch_size) + ": the data has only " +
                         std::to_string(training_images) + " training images");
}

Result<Teacher> ParseTeacher(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    return InvalidArgument(
        "--teacher takes MODEL:WEIGHTS, e.g. resnet56:resnet56.safetensors, got " + Quoted(text));
  }
  return Teacher{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace bitpilot

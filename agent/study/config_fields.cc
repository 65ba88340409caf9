#include "agent/study/config_fields.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "kernels/base/number_text.h"
#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr double kNoLimit = std::numeric_limits<double>::max();
constexpr double kMaxMeasurements = 100'000;
constexpr double kMaxMiniBatches = 1'000'000;
constexpr double kDay = 24 * 3600;

#define AT(member) [](SearchConfig& config) -> ConfigValue { return &config.member; }

constexpr ConfigField kFields[] = {
    {"model", "model", "--model", "Network", AT(model)},
    {"weights", "weights", "--weights",
     "Its float weights (.safetensors), or \"shipped\": resnet8's are", AT(weights),
     .can_move = true},
    {"weights_sha256", "weights, SHA-256", "", "", AT(weights_sha256)},
    {"data", "data", "--data", "\"sample\" (shipped), or a folder with CIFAR-10's binary files",
     AT(data), .can_move = true},
    {"data_sha256", "data, SHA-256", "", "", AT(data_sha256)},
    {"device", "device", "--device",
     "local, local:ISA (this machine restricted, e.g. local:avx2) or model:TABLE (a lut.json, a "
     "cost table, or a shipped board's name)",
     AT(device), .can_move = true},
    {"device_sha256", "model board's table, SHA-256", "", "", AT(device_sha256),
     .if_missing = "\"\""},
    {"fleet", "fleet", "--fleet", "fleet.toml with boards on the network", AT(fleet),
     .can_move = true},
    {"board", "board", "--board", "Which board of the fleet file", AT(board), .can_move = true},
    {"cpu", "CPU that measures", "--cpu",
     "Which CPU of a local device measures: big, little or a number (default: the last one of the "
     "strongest kind)",
     AT(cpu), .if_missing = "\"\"", .can_move = true},
    {"fast", "answers at once", "--fast",
     "With model:TABLE: it answers at once, not in the time that it claims", AT(fast),
     .if_missing = "false"},
    // A search that knew nothing of energy measured none.
    {"energy", "energy", "--energy",
     "auto (of the finalists, if the board has a sensor or meter), none, or search (of every "
     "candidate, as a third objective: 10 s and more each)",
     AT(energy), .if_missing = "\"none\""},
    {"meter", "meter", "--meter",
     "Program that reads an external meter of a local device, e.g. \"meter-replay FILE\"",
     AT(meter), .if_missing = "\"\"", .can_move = true},
    {"policy", "policy", "--policy", "Search policy", AT(policy)},
    {"policy_options", "the policy's options", "--policy-options",
     "Options of the policy, as a JSON object", AT(policy_options), .form = FlagForm::kObject,
     .if_missing = "{}"},
    {"weight_widths", "widths of weights", "--weight-widths", "Widths for weights only",
     AT(weight_widths), .min = 1, .max = 8},
    {"activation_widths", "widths of activations", "--activation-widths",
     "Widths for activations only", AT(activation_widths), .min = 1, .max = 8},
    {"search_ends", "first and last layer searched", "--search-ends",
     "Also search the first and last layer (8 bit otherwise)", AT(search_ends)},
    {"max_latency_ratio", "budget of latency, x of 8 bit", "--max-latency",
     "Budget: ratio to uniform 8 bit, e.g. 0.7x", AT(budgets.max_latency_ratio),
     .form = FlagForm::kRatio, .max = kNoLimit},
    {"max_energy_ratio", "budget of energy, x of 8 bit", "--max-energy",
     "Budget: ratio to uniform 8 bit, e.g. 0.7x; needs a board that measures energy, or a model "
     "board with energies",
     AT(budgets.max_energy_ratio), .form = FlagForm::kRatio, .max = kNoLimit, .if_missing = "null"},
    {"max_weight_bytes", "budget of weight bytes", "--max-size", "Budget: packed weight bytes",
     AT(budgets.max_weight_bytes), .min = 1, .max = 9e15},
    {"min_accuracy", "budget of accuracy", "--min-accuracy",
     "Budget: fraction of the validation images after the final training; test images judge "
     "nothing",
     AT(budgets.min_accuracy), .min = 0, .max = 1},
    {"measurements", "measurements", "--measurements", "N candidates to run on the board",
     AT(measurements), .min = 1, .max = kMaxMeasurements},
    {"board_seconds", "board time, s", "--board-seconds",
     "Budget: seconds that measuring candidates may take", AT(board_seconds), .min = 0.001,
     .max = 365 * kDay, .if_missing = "null"},
    {"train_batches", "mini-batches a measurement", "--train-batches",
     "M x N mini-batches are what the search may train (N: --measurements); 0 searches by "
     "calibration alone",
     AT(train_batches), .min = 0, .max = kMaxMiniBatches},
    {"final_batches", "mini-batches of the final training", "--final-batches",
     "Mini-batches that each network of the final table then trains at its own widths (default: a "
     "fifth of the search's divided by 11, at least 20); 0: they are compared as the search left "
     "them, not trained alike",
     AT(final_batches), .min = 0, .max = kMaxMiniBatches, .if_missing = "null"},
    {"", "epochs of the final training", "--final-epochs",
     "The same in passes over the training images", AT(final_epochs), .min = 0, .max = 100'000},
    {"batch_size", "images in a mini-batch", "--batch-size", "Images in a mini-batch",
     AT(batch_size), .min = 2, .max = kMaxBatchSize},
    {"learning_rate", "learning rate", "--learning-rate",
     "Adam's, decays to 0 over the mini-batches of the search, and again in the final training",
     AT(learning_rate), .min = 0, .max = kNoLimit},
    {"distill", "distilled", "--no-distill",
     "Train on labels alone, not on the float network's outputs too", AT(distill),
     .form = FlagForm::kNegated},
    {"teacher", "teacher", "--teacher",
     "MODEL:WEIGHTS, a larger float network to distil from, e.g. resnet56:resnet56.safetensors",
     AT(teacher), .if_missing = "\"\"", .can_move = true},
    {"teacher_sha256", "teacher's weights, SHA-256", "", "", AT(teacher_sha256),
     .if_missing = "\"\""},
    {"calibration_images", "calibration images", "--calibration-images",
     "Training images that calibration reads", AT(calibration_images), .min = 16,
     .max = kMaxCalibrationImages},
    {"table_seconds", "board time for the layer table, s", "--table-seconds",
     "Board time for the layer table, at most", AT(table_seconds), .min = 1, .max = kDay},
    {"seed", "seed", "--seed", "Of every random stream", AT(seed)},
};

#undef AT

// A value as its flag takes it.
std::string FlagValue(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const Json& item : value) list += (list.empty() ? "" : ",") + FlagValue(item);
  return list;
}

// The key's value, or null.
Json Entry(const ConfigField& field, const Json& config) {
  if (field.key.empty() || !config.is_object()) return nullptr;
  return config.value(std::string(field.key), Json());
}

}  // namespace

std::span<const ConfigField> ConfigFields() { return kFields; }

Result<double> ParseRatio(std::string_view text) {
  const std::string_view number = text.substr(0, text.size() - (text.ends_with('x') ? 1 : 0));
  const Result<double> ratio = ParseNumber<double>(number, 0.0);
  if (ratio.ok() && *ratio > 0) return ratio;
  return InvalidArgument("takes a ratio to uniform 8 bit such as 0.7x, got " + Quoted(text));
}

std::string TextOf(const ConfigField& field, const Json& config) {
  const Json value = Entry(field, config);
  if (value.is_null()) return "";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_object() && value.empty()) return "";
  return FlagValue(value);
}

std::vector<FlagText> FlagsOf(const Json& config) {
  std::vector<FlagText> flags;
  for (const ConfigField& field : ConfigFields()) {
    const Json value = Entry(field, config);
    if (field.flag.empty() || value.is_null()) continue;
    if (value.is_boolean()) {
      if (value.get<bool>() != (field.form == FlagForm::kNegated)) {
        flags.push_back({field.flag, std::nullopt});
      }
      continue;
    }
    if ((value.is_object() && value.empty()) || value == "") continue;
    flags.push_back({field.flag, FlagValue(value) + (field.form == FlagForm::kRatio ? "x" : "")});
  }
  return flags;
}

}  // namespace bitpilot

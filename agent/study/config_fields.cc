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
    {.key = "model", .name = "model", .flag = "--model", .help = "Network", .value = AT(model)},
    {.key = "weights",
     .name = "weights",
     .flag = "--weights",
     .help = "Its float weights (.safetensors), or \"shipped\": resnet8's are",
     .value = AT(weights),
     .can_move = true},
    {.key = "weights_sha256", .name = "weights, SHA-256", .value = AT(weights_sha256)},
    {.key = "data",
     .name = "data",
     .flag = "--data",
     .help = "\"sample\" (shipped), or a folder with CIFAR-10's binary files",
     .value = AT(data),
     .can_move = true},
    {.key = "data_sha256", .name = "data, SHA-256", .value = AT(data_sha256)},
    {.key = "device",
     .name = "device",
     .flag = "--device",
     .help = "local, local:ISA (this machine restricted, e.g. local:avx2) or model:TABLE (a "
             "lut.json, a "
             "cost table, or a shipped board's name)",
     .value = AT(device),
     .can_move = true},
    {.key = "device_sha256",
     .name = "model board's table, SHA-256",
     .value = AT(device_sha256),
     .if_missing = "\"\""},
    {.key = "fleet",
     .name = "fleet",
     .flag = "--fleet",
     .help = "fleet.toml with boards on the network",
     .value = AT(fleet),
     .can_move = true},
    {.key = "board",
     .name = "board",
     .flag = "--board",
     .help = "Which board of the fleet file",
     .value = AT(board),
     .can_move = true},
    {.key = "classes",
     .name = "classes of boards",
     .flag = "--class",
     .help = "With --fleet: measure on all boards that have this tag, in parallel; several of it: "
             "every "
             "candidate on each class (default: on all boards of the file, if they are alike)",
     .value = AT(classes),
     .if_missing = "[]"},
    {.key = "objective",
     .name = "of several classes",
     .flag = "--objective",
     .help = "What a candidate comes to on several classes: worst, mean, or the name of one",
     .value = AT(objective),
     .if_missing = "\"worst\""},
    {.key = "cpu",
     .name = "CPU that measures",
     .flag = "--cpu",
     .help = "Which CPU of a local device measures: big, little or a number (default: the last one "
             "of the "
             "strongest kind)",
     .value = AT(cpu),
     .if_missing = "\"\"",
     .can_move = true},
    {.key = "fast",
     .name = "answers at once",
     .flag = "--fast",
     .help = "With model:TABLE: it answers at once, not in the time that it claims",
     .value = AT(fast),
     .if_missing = "false"},
    // A search that knew nothing of energy measured none.
    {.key = "energy",
     .name = "energy",
     .flag = "--energy",
     .help =
         "auto (of the finalists, if the board has a sensor or meter), none, or search (of every "
         "candidate, as a third objective: 10 s and more each)",
     .value = AT(energy),
     .if_missing = "\"none\""},
    {.key = "meter",
     .name = "meter",
     .flag = "--meter",
     .help = "Program that reads an external meter of a local device, e.g. \"meter-replay FILE\"",
     .value = AT(meter),
     .if_missing = "\"\"",
     .can_move = true},
    {.key = "policy",
     .name = "policy",
     .flag = "--policy",
     .help = "Search policy",
     .value = AT(policy)},
    {.key = "policy_options",
     .name = "the policy's options",
     .flag = "--policy-options",
     .help = "Options of the policy, as a JSON object",
     .value = AT(policy_options),
     .form = FlagForm::kObject,
     .if_missing = "{}"},
    {.key = "weight_widths",
     .name = "widths of weights",
     .flag = "--weight-widths",
     .help = "Widths for weights only",
     .value = AT(weight_widths),
     .min = 1,
     .max = 8},
    {.key = "activation_widths",
     .name = "widths of activations",
     .flag = "--activation-widths",
     .help = "Widths for activations only",
     .value = AT(activation_widths),
     .min = 1,
     .max = 8},
    {.key = "search_ends",
     .name = "first and last layer searched",
     .flag = "--search-ends",
     .help = "Also search the first and last layer (8 bit otherwise)",
     .value = AT(search_ends)},
    {.key = "granularity",
     .name = "what has a width of its own",
     .flag = "--granularity",
     .help = "layer, group (16 consecutive channels) or channel: what has weight widths of its own",
     .value = AT(granularity),
     .if_missing = "\"layer\""},
    {.key = "max_latency_ratio",
     .name = "budget of latency, x of 8 bit",
     .flag = "--max-latency",
     .help = "Budget: ratio to uniform 8 bit, e.g. 0.7x",
     .value = AT(budgets.max_latency_ratio),
     .form = FlagForm::kRatio,
     .max = kNoLimit},
    {.key = "max_energy_ratio",
     .name = "budget of energy, x of 8 bit",
     .flag = "--max-energy",
     .help = "Budget: ratio to uniform 8 bit, e.g. 0.7x; needs a board that measures energy, or a "
             "model "
             "board with energies",
     .value = AT(budgets.max_energy_ratio),
     .form = FlagForm::kRatio,
     .max = kNoLimit,
     .if_missing = "null"},
    {.key = "max_weight_bytes",
     .name = "budget of weight bytes",
     .flag = "--max-size",
     .help = "Budget: packed weight bytes",
     .value = AT(budgets.max_weight_bytes),
     .min = 1,
     .max = 9e15},
    {.key = "min_accuracy",
     .name = "budget of accuracy",
     .flag = "--min-accuracy",
     .help =
         "Budget: fraction of the validation images after the final training; test images judge "
         "nothing",
     .value = AT(budgets.min_accuracy),
     .min = 0,
     .max = 1},
    {.key = "measurements",
     .name = "measurements",
     .flag = "--measurements",
     .help = "N candidates to run on the board",
     .value = AT(measurements),
     .min = 1,
     .max = kMaxMeasurements},
    {.key = "board_seconds",
     .name = "board time, s",
     .flag = "--board-seconds",
     .help = "Budget: seconds that measuring candidates may take",
     .value = AT(board_seconds),
     .min = 0.001,
     .max = 365 * kDay,
     .if_missing = "null"},
    {.key = "train_batches",
     .name = "mini-batches a measurement",
     .flag = "--train-batches",
     .help = "M x N mini-batches are what the search may train (N: --measurements); 0 searches by "
             "calibration alone",
     .value = AT(train_batches),
     .min = 0,
     .max = kMaxMiniBatches},
    {.key = "final_batches",
     .name = "mini-batches of the final training",
     .flag = "--final-batches",
     .help = "Mini-batches that each network of the final table then trains at its own widths "
             "(default: a "
             "fifth of the search's divided by 11, at least 20); 0: they are compared as the "
             "search left "
             "them, not trained alike",
     .value = AT(final_batches),
     .min = 0,
     .max = kMaxMiniBatches,
     .if_missing = "null"},
    {.key = "",
     .name = "epochs of the final training",
     .flag = "--final-epochs",
     .help = "The same in passes over the training images",
     .value = AT(final_epochs),
     .min = 0,
     .max = 100'000},
    {.key = "batch_size",
     .name = "images in a mini-batch",
     .flag = "--batch-size",
     .help = "Images in a mini-batch",
     .value = AT(batch_size),
     .min = 2,
     .max = kMaxBatchSize},
    {.key = "learning_rate",
     .name = "learning rate",
     .flag = "--learning-rate",
     .help =
         "Adam's, decays to 0 over the mini-batches of the search, and again in the final training",
     .value = AT(learning_rate),
     .min = 0,
     .max = kNoLimit},
    {.key = "distill",
     .name = "distilled",
     .flag = "--no-distill",
     .help = "Train on labels alone, not on the float network's outputs too",
     .value = AT(distill),
     .form = FlagForm::kNegated},
    {.key = "teacher",
     .name = "teacher",
     .flag = "--teacher",
     .help =
         "MODEL:WEIGHTS, a larger float network to distil from, e.g. resnet56:resnet56.safetensors",
     .value = AT(teacher),
     .if_missing = "\"\"",
     .can_move = true},
    {.key = "teacher_sha256",
     .name = "teacher's weights, SHA-256",
     .value = AT(teacher_sha256),
     .if_missing = "\"\""},
    {.key = "train_threads",
     .name = "threads that train",
     .flag = "--train-threads",
     .help = "Threads that train and read (default: one for each CPU, at most 8); other numbers "
             "train to slightly other weights",
     .value = AT(train_threads),
     .min = 1,
     .max = kMaxTrainThreads,
     .if_missing = "1"},
    {.key = "calibration_images",
     .name = "calibration images",
     .flag = "--calibration-images",
     .help = "Training images that calibration reads",
     .value = AT(calibration_images),
     .min = 16,
     .max = kMaxCalibrationImages},
    {.key = "table_seconds",
     .name = "board time for the layer table, s",
     .flag = "--table-seconds",
     .help = "Board time for the table of the layers' times, at most. It is kept in "
             "~/.cache/bitpilot/tables (or $XDG_CACHE_HOME/...): remove a file to measure anew",
     .value = AT(table_seconds),
     .min = 1,
     .max = kDay},
    {.key = "seed",
     .name = "seed",
     .flag = "--seed",
     .help = "Of every random stream",
     .value = AT(seed)},
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
    if ((value.is_structured() && value.empty()) || value == "") continue;
    if (value.is_array() && value.front().is_string()) {
      for (const Json& item : value) flags.push_back({field.flag, item.get<std::string>()});
      continue;
    }
    flags.push_back({field.flag, FlagValue(value) + (field.form == FlagForm::kRatio ? "x" : "")});
  }
  return flags;
}

}  // namespace bitpilot

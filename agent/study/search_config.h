// SearchConfig: everything that defines a search. Stored in the study, so that resuming and
// verifying need no flags. agent/study/config_fields.h lists its members once, for flags, JSON and
// reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

struct SearchConfig {
  std::string model = "resnet8";
  std::string weights;          // float weights (.safetensors), or "shipped"; empty means that
  std::string weights_sha256;   // of that file; filled in when the search starts
  std::string data = "sample";  // "sample" or a folder
  std::string data_sha256;      // fingerprint of all three splits; filled in when the search starts

  std::string device = "local";  // "local[:ISA]" or "model:TABLE"; empty with a fleet
  std::string device_sha256;     // of a model board's table; filled in when the search starts
  std::string fleet;             // fleet.toml, or empty
  std::string board;             // name in the fleet file; empty: its only board, or all by class
  // Tags of boards in the fleet file, each a class; empty: one class, of the one board or of all boards
  // of the file.
  std::vector<std::string> classes;
  std::string objective = "worst";  // "worst", "mean" or a class (policies/class_objective.h)
  bool fast = false;                // a model board answers at once, not in the time that it claims

  // "auto": measure the finalists' energy if the board has a sensor or meter; "none": never;
  // "search": measure every candidate's, as a third objective (a model board's table counts, too).
  // A budget of energy means "search".
  std::string energy = "auto";
  std::string cpu;    // of a local device: which CPU measures (BoardOptions::cpu)
  std::string meter;  // of a local device: program that reads an external meter; empty: none

  std::string policy = "amed";
  // Of the policy's own options those that are not at their defaults: a JSON object.
  std::string policy_options = "{}";
  std::vector<int> weight_widths = {2, 3, 4, 5, 6, 7, 8};
  std::vector<int> activation_widths = {2, 3, 4, 5, 6, 7, 8};
  // What of a layer has a width of its own: "layer", "group" (16 consecutive channels) or "channel".
  std::string granularity = "layer";
  bool search_ends = false;  // also search the first and last layer and the last layer's input
  Budgets budgets;
  int measurements =
      24;  // whole-network runs of candidates on the board; references and final runs come on top
  std::optional<double> board_seconds;  // that measuring candidates may take in all
  std::uint64_t seed = 1;

  // `measurements` times as many mini-batches are the search's budget of training; 0: post-training
  // calibration only.
  int train_batches = 0;
  // Mini-batches that every network of the final table trains at its own widths; absent until
  // SettleFinalBatches().
  std::optional<int> final_batches;
  std::optional<double> final_epochs;  // how a user may say it; not stored
  int batch_size = 128;
  double learning_rate = 2e-4;  // Adam's largest
  bool distill = true;
  // "MODEL:WEIGHTS", a larger network to distil from; empty: the float network itself.
  std::string teacher;
  std::string teacher_sha256;  // of its weights; filled in when the search starts

  // That training and reading compute on; absent until the search starts. Training gives other bits
  // on another number.
  std::optional<int> train_threads;

  int calibration_images = 512;  // training images that calibration and the sensitivity probe read
  int table_seconds = 30;        // board time for the board's table, at most, earlier searches'
                                 // included (agent/profile/search_table.h)

  friend bool operator==(const SearchConfig&, const SearchConfig&);
};

// The classes that a search measures on, in its order: config.classes, or kOnlyClass.
std::vector<std::string> ClassesOf(const SearchConfig& config);

// True if energy is to be an objective.
bool SearchesEnergy(const SearchConfig& config);

nlohmann::json ToJson(const SearchConfig& config);

// Keys that came later (ConfigField::if_missing) may be missing: studies of an older bitpilot have
// none.
//
// Errors: kInvalidArgument names the missing, unknown or out-of-range key.
Result<SearchConfig> SearchConfigFromJson(const nlohmann::json& json);

// The most mini-batches that a search may train, extensions included.
inline constexpr std::int64_t kMaxMiniBatchesOfASearch = 1'000'000'000;

// Errors: kInvalidArgument if so many measurements come to more.
Status CheckMiniBatches(const SearchConfig& config, std::int64_t measurements);

// Errors: kInvalidArgument names the flag, its range and what came.
Status ValidateSearchConfig(const SearchConfig& config);

// Networks that train at the end of a search at most: uniform 8 bit, uniform 4 bit, the integer
// program's start, and 8 of the front.
inline constexpr int kMaxFinalNetworks = 11;

// Sets config.final_batches, unless it is there, and clears final_epochs. What neither says is a
// fifth of the search's mini-batches, divided by kMaxFinalNetworks, and at least 20; 0 where the
// search does not train.
void SettleFinalBatches(std::size_t training_images, SearchConfig& config);

// Training threads at most.
inline constexpr int kMaxTrainThreads = 64;

// The most images that --batch-size takes from any data.
inline constexpr int kMaxBatchSize = 1'000'000;

// Training images that --calibration-images takes at most (agent/qat reads no more).
inline constexpr int kMaxCalibrationImages = 512;

// Errors: kInvalidArgument if a mini-batch would have more images than there are.
Status CheckBatchSize(int batch_size, std::size_t training_images);

// The two halves of config.teacher.
struct Teacher {
  std::string model;
  std::string weights;  // a file, or "shipped"
};
// Errors: kInvalidArgument if it is not of the form MODEL:WEIGHTS.
Result<Teacher> ParseTeacher(const std::string& text);

}  // namespace bitpilot

// Does the reward order candidates as the final training will, wherever the weights were? See README.md
// beside this file.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/model/bit_spec.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/model/sample_data.h"
#include "agent/session/placed_training.h"
#include "policies/plain_math.h"
#include "policies/reward.h"

namespace bitpilot {
namespace {

constexpr const char* kPlaceWidths[] = {"w8a8", "w2a4"};
constexpr const char* kWidths[] = {"w8a8", "w4a4", "w2a4"};

struct Options {
  std::string data = "../shared/data";
  std::string folder;                          // of the weights' states; they are large
  std::vector<int> place_batches = {40, 195};  // at each of kPlaceWidths
  int step_batches = 20;
  int final_batches = 100;
  int seeds = 3;
};

template <typename T>
T ValueOrExit(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "anchor: %s\n", result.status().message().c_str());
  std::exit(1);
}

// One candidate from one place.
struct Outcome {
  std::string place;      // widths that it was trained at
  int place_batches = 0;  // so long
  std::string widths;
  double loss = 0.0;         // as read
  double excess = 0.0;       // over the anchor: what the reward charges
  double shared = 0.0;       // over 8 bit read on the same weights
  double final_error = 0.0;  // validation, after the final training
};

// Kendall's tau-b over all pairs: ties in either count for neither side.
double Tau(const std::vector<Outcome>& outcomes, double Outcome::*charged) {
  int agree = 0;
  int disagree = 0;
  int tied_charge = 0;
  int tied_error = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double a = outcomes[i].*charged - outcomes[j].*charged;
      const double b = outcomes[i].final_error - outcomes[j].final_error;
      if (a == 0.0 && b == 0.0) continue;
      if (a == 0.0) {
        ++tied_charge;
      } else if (b == 0.0) {
        ++tied_error;
      } else {
        ++((a > 0.0) == (b > 0.0) ? agree : disagree);
      }
    }
  }
  const double all = agree + disagree;
  return (agree - disagree) / std::sqrt((all + tied_charge) * (all + tied_error));
}

class Experiment {
 public:
  Experiment(const Options& options, const DataSplits& data, int seed)
      : options_(options),
        definition_(ValueOrExit(FindModel("resnet8"))),
        images_{data.train, data.validation},
        calibration_(data.train.Slice(0, 512)),
        model_(ValueOrExit(QuantizedModel::Create(definition_,
                                                  ValueOrExit(ShippedWeightsFile("resnet8")),
                                                  static_cast<std::uint64_t>(seed)))),
        base_(UniformAssignment(definition_.topology, 8, 8)),
        files_(options.folder + "/anchor-" + std::to_string(seed) + ".db"),
        training_(config_, base_, files_, &model_, &images_, &calibration_, [] { return false; }) {}

  // The reward's anchor: 8 bit alone, by the places' schedule. First.
  void TrainTwin() {
    start_ = {ValueOrExit(training_.SaveStart()), 0};
    PlaceFile place = start_;
    std::set<int> depths = {0};
    for (const int depth : options_.place_batches) depths.insert(depth + options_.step_batches);
    for (const int depth : depths) {
      if (depth > place.depth) place = Train(place, base_, depth - place.depth);
      const Scored score = Read(place, base_);
      anchor_.readings.push_back({depth, score.loss, score.loss_error, score.error()});
      std::printf("twin after %d mini-batches: loss %.4f\n", depth, score.loss);
    }
  }

  // Trains and reads every candidate from every place; prints a line each.
  std::vector<Outcome> Run() {
    std::vector<Outcome> outcomes;
    for (const char* place_widths : kPlaceWidths) {
      PlaceFile place = start_;
      for (const int depth : options_.place_batches) {
        place = Train(place, Bits(place_widths), depth - place.depth);
        for (const char* widths : kWidths) {
          outcomes.push_back(Try(place, place_widths, widths));
          const Outcome& outcome = outcomes.back();
          std::printf("| %s, %d | %s | %.4f | %.4f | %.4f | %.4f |\n", outcome.place.c_str(),
                      outcome.place_batches, outcome.widths.c_str(), outcome.loss, outcome.excess,
                      outcome.shared, outcome.final_error);
          std::fflush(stdout);
        }
      }
    }
    return outcomes;
  }

 private:
  BitAssignment Bits(const std::string& spec) const {
    return ValueOrExit(ParseBitSpec(spec, definition_.topology));
  }

  // Of the search's schedule: half a cosine over all mini-batches of the deepest place and its step.
  double Share(int depth) const {
    const int total = options_.place_batches.back() + options_.step_batches;
    return PlainHalfCosine(static_cast<double>(depth) / total);
  }

  PlaceFile Train(const PlaceFile& from, const BitAssignment& bits, int batches) {
    const Pace pace{batches, Share(from.depth), Share(from.depth + batches)};
    const PlacedTraining::Trained trained = ValueOrExit(training_.Train(from, bits, pace));
    if (trained.diverged) {
      std::fprintf(stderr, "anchor: training diverged\n");
      std::exit(1);
    }
    return {trained.file, from.depth + batches};
  }

  Scored Read(const PlaceFile& at, const BitAssignment& bits) {
    const auto read = ValueOrExit(training_.Read(at, bits));
    if (!read) std::exit(1);
    return read->score;
  }

  Outcome Try(const PlaceFile& place, const std::string& place_widths, const std::string& widths) {
    const BitAssignment bits = Bits(widths);
    const PlaceFile after = Train(place, bits, options_.step_batches);
    const Scored score = Read(after, bits);
    Outcome outcome;
    outcome.place = place_widths;
    outcome.place_batches = place.depth;
    outcome.widths = widths;
    outcome.loss = score.loss;
    outcome.excess = ExcessOf(anchor_, score, after.depth).mean;
    outcome.shared = score.loss - Read(after, base_).loss;
    const Pace last{options_.final_batches, 1.0, 0.0};
    const PlacedTraining::Trained trained = ValueOrExit(training_.Train(after, bits, last));
    outcome.final_error = Read({trained.file, after.depth + last.batches}, bits).error();
    return outcome;
  }

  const Options& options_;
  ModelDefinition definition_;
  SearchConfig config_ = [] {
    SearchConfig config;
    config.train_batches = 1;  // it trains
    return config;
  }();
  SearchImages images_;
  ImageDataset calibration_;
  QuantizedModel model_;
  BitAssignment base_;
  StudyFiles files_;
  PlacedTraining training_;
  PlaceFile start_;
  Anchor anchor_;
};

void PrintTaus(const char* of, const std::vector<Outcome>& outcomes) {
  std::printf(
      "tau with the final error, %s (%zu): excess over the twin %.2f, over 8 bit on the same "
      "weights "
      "%.2f, raw loss %.2f\n",
      of, outcomes.size(), Tau(outcomes, &Outcome::excess), Tau(outcomes, &Outcome::shared),
      Tau(outcomes, &Outcome::loss));
}

void RunAll(const Options& options) {
  const DataSplits data = ValueOrExit(LoadDataSplits(options.data));
  for (int seed = 1; seed <= options.seeds; ++seed) {
    std::printf("\nseed %d\n\n", seed);
    Experiment experiment(options, data, seed);
    experiment.TrainTwin();
    std::printf(
        "\n| place | candidate | loss | excess over the twin | over 8 bit on the "
        "same weights | final error |\n|---|---|---|---|---|---|\n");
    const std::vector<Outcome> outcomes = experiment.Run();
    std::vector<Outcome> deepest;
    for (const Outcome& outcome : outcomes) {
      if (outcome.place_batches == options.place_batches.back()) deepest.push_back(outcome);
    }
    std::printf("\n");
    PrintTaus("from the deepest places", deepest);
    PrintTaus("from all places", outcomes);
  }
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  bitpilot::Options options;
  options.folder = std::filesystem::temp_directory_path().string();
  CLI::App app("Does the reward order candidates as the final training will?");
  app.add_option("--data", options.data, "Folder with CIFAR-10, or sample");
  app.add_option("--folder", options.folder, "Where states of the weights are kept meanwhile");
  app.add_option("--place-batches", options.place_batches,
                 "Mini-batches of the places, comma-separated, at each of w8a8 and w2a4")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--step-batches", options.step_batches)->check(CLI::PositiveNumber);
  app.add_option("--final-batches", options.final_batches)->check(CLI::PositiveNumber);
  app.add_option("--seeds", options.seeds)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  std::sort(options.place_batches.begin(), options.place_batches.end());
  bitpilot::RunAll(options);
}

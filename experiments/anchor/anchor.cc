// Does the reward order candidates as the final training will, wherever the weights were? See README.md
// beside this file.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/model/bit_spec.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/model/sample_data.h"
#include "agent/qat/compute_threads.h"
#include "agent/session/placed_training.h"
#include "agent/session/twin_losses.h"
#include "experiments/anchor/ordered_pairs.h"
#include "experiments/mean_interval.h"
#include "kernels/base/bit_assignment.h"
#include "policies/plain_math.h"
#include "policies/reward.h"
#include "policies/trained_widths.h"

namespace bitpilot {
namespace {

constexpr const char* kPlaceWidths[] = {"w8a8", "w2a4"};
constexpr const char* kWidths[] = {"w8a8", "w4a4", "w2a4"};

struct Options {
  std::string data = "../shared/data/cifar10";
  std::string folder;                          // of the weights' states; they are large
  std::vector<int> place_batches = {40, 195};  // at each of kPlaceWidths
  int step_batches = 20;
  int final_batches = 50;
  int seeds = 3;
  int first_seed = 1;
  int threads = 1;  // training gives other bits on another number
};

[[noreturn]] void Exit(const std::string& why) {
  std::fprintf(stderr, "anchor: %s\n", why.c_str());
  std::exit(1);
}

template <typename T>
T ValueOrExit(Result<T> result) {
  if (!result.ok()) Exit(result.status().message());
  return std::move(result).value();
}

// One candidate from one place.
struct Outcome {
  std::string place;      // widths that it was trained at
  int place_batches = 0;  // so long
  std::string widths;
  double loss = 0.0;    // as read
  double charge = 0.0;  // what the reward charges
  double charge_error = 0.0;
  double excess = 0.0;       // over the anchor
  double shared = 0.0;       // over 8 bit read on the same weights
  double fewer_bits = 0.0;   // minus the weights' bytes: never looks at what they are worth
  double final_error = 0.0;  // validation, after the final training
  double final_loss = 0.0;
};

struct Charge {
  const char* name;
  double Outcome::*figure;
  bool is_excess = false;  // in nats over uniform 8 bit
};
constexpr Charge kCharges[] = {{"charge of the reward", &Outcome::charge, true},
                               {"excess over the twin", &Outcome::excess, true},
                               {"over 8 bit on the same weights", &Outcome::shared, true},
                               {"raw loss", &Outcome::loss},
                               {"fewer bits", &Outcome::fewer_bits}};

// Which pairs of candidates are judged.
struct Judged {
  const char* name;
  bool (*has)(const Outcome& a, const Outcome& b, int deepest);
};
constexpr Judged kJudged[] = {
    {"from the deepest places",
     [](const Outcome& a, const Outcome& b, int deepest) {
       return a.place_batches == deepest && b.place_batches == deepest;
     }},
    {"from all places", [](const Outcome&, const Outcome&, int) { return true; }},
    // The charge that knows widths only has no answer here.
    {"of equal widths from different places",
     [](const Outcome& a, const Outcome& b, int) { return a.widths == b.widths; }},
};

OrderedPairs Judge(const std::vector<Outcome>& outcomes, const Judged& judged, const Charge& charge,
                   int deepest) {
  OrderedPairs pairs;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Outcome& a = outcomes[i];
      const Outcome& b = outcomes[j];
      if (!judged.has(a, b, deepest)) continue;
      pairs.Count(a.*charge.figure - b.*charge.figure, a.final_error - b.final_error);
    }
  }
  return pairs;
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
    std::set<int> depths = {0, options_.step_batches};
    for (const int depth : options_.place_batches) depths.insert(depth + options_.step_batches);
    for (const int depth : depths) {
      if (depth > place.depth) place = Train(place, base_, depth - place.depth, place.depth);
      ScoredNetwork read = Read(place, base_);
      const Scored& score = read.score;
      anchor_.readings.push_back({depth, score.loss, score.loss_error, score.error()});
      twin_.Add(depth, std::move(read.losses));
      std::printf("twin after %d mini-batches: loss %.4f\n", depth, score.loss);
    }
  }

  // 8 bit from the start again, by the last rates of the schedule: what the anchor, which knows depths
  // and not rates, charges a network for having restarted late. Returns that, nats, after the first
  // step and after the depth of the shallowest candidates.
  std::vector<double> RestartLate() {
    std::vector<double> biases;
    const int depth = options_.place_batches.front() + options_.step_batches;
    PlaceFile place = start_;
    for (const int until : {options_.step_batches, depth}) {
      place = Train(place, base_, until - place.depth, Total() - depth + place.depth);
      const ScoredNetwork read = Read(place, base_);
      biases.push_back(ExcessOf(anchor_, read.score, until).mean);
      std::printf(
          "8 bit restarted %d mini-batches before the end, after %d: loss %.4f, over the twin "
          "%+.4f +- %.4f\n",
          depth, until, read.score.loss, biases.back(), twin_.ExcessError(read.losses, until));
    }
    return biases;
  }

  // Trains and reads every candidate from every place; prints a line each.
  std::vector<Outcome> Run() {
    std::vector<Outcome> outcomes;
    for (const char* place_widths : kPlaceWidths) {
      PlaceFile place = start_;
      for (const int depth : options_.place_batches) {
        place = Train(place, Bits(place_widths), depth - place.depth, place.depth);
        for (const char* widths : kWidths) {
          outcomes.push_back(Try(place, place_widths, widths));
          const Outcome& outcome = outcomes.back();
          std::printf("| %s, %d | %s | %.4f | %.4f +- %.4f | %.4f | %.4f | %.4f | %.4f |\n",
                      outcome.place.c_str(), outcome.place_batches, outcome.widths.c_str(),
                      outcome.loss, outcome.charge, outcome.charge_error, outcome.excess,
                      outcome.shared, outcome.final_loss, outcome.final_error);
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

  // All layers have the same widths here: one variable.
  static Choice WidthOf(const BitAssignment& bits) { return {bits.weight_bits.at(1).at(0).bits}; }

  // Mini-batches of the search's schedule: the deepest place and its step.
  int Total() const { return options_.place_batches.back() + options_.step_batches; }

  // Of the search's learning rate, half a cosine over all mini-batches.
  double Share(int spent) const { return PlainHalfCosine(static_cast<double>(spent) / Total()); }

  // spent: mini-batches that the search has trained before.
  PlaceFile Train(const PlaceFile& from, const BitAssignment& bits, int batches, int spent) {
    return Train(from, bits, Pace{batches, Share(spent), Share(spent + batches)});
  }

  PlaceFile Train(const PlaceFile& from, const BitAssignment& bits, const Pace& pace) {
    const PlacedTraining::Trained trained = ValueOrExit(training_.Train(from, bits, pace));
    if (trained.diverged)
      Exit("training diverged after " + std::to_string(from.depth) +
           " mini-batches: no figures of this seed");
    return {trained.file, from.depth + pace.batches};
  }

  ScoredNetwork Read(const PlaceFile& at, const BitAssignment& bits) {
    std::optional<ScoredNetwork> read = ValueOrExit(training_.Read(at, bits));
    if (!read) {
      Exit("the loss after " + std::to_string(at.depth) +
           " mini-batches is no finite number (the weights diverged): no figures of this seed");
    }
    return std::move(*read);
  }

  Outcome Try(const PlaceFile& place, const std::string& place_widths, const std::string& widths) {
    const BitAssignment bits = Bits(widths);
    const PlaceFile after = Train(place, bits, options_.step_batches, place.depth);
    ScoredNetwork read = Read(after, bits);
    const ScoredNetwork uniform8 = Read(after, base_);
    const Choice choice = WidthOf(bits);
    const double own_share = TrainedWidths()
                                 .After(WidthOf(Bits(place_widths)), place.depth)
                                 .After(choice, options_.step_batches)
                                 .OwnShare(choice);
    read.score.same_weights =
        SameWeights{.loss = uniform8.score.loss,
                    .correct = uniform8.score.correct,
                    .own_share = own_share,
                    .charge_error = twin_.ChargeError(read.losses, uniform8.losses,
                                                      TwinShare(own_share), after.depth)};
    const ExcessLoss charge = ChargeOf(anchor_, read.score, after.depth);
    Outcome outcome;
    outcome.place = place_widths;
    outcome.place_batches = place.depth;
    outcome.widths = widths;
    outcome.loss = read.score.loss;
    outcome.excess = ExcessOf(anchor_, read.score, after.depth).mean;
    outcome.charge = charge.mean;
    outcome.charge_error = charge.error;
    outcome.shared = outcome.loss - uniform8.score.loss;
    outcome.fewer_bits = -static_cast<double>(WeightBytes(definition_.topology, bits));
    const PlaceFile end = Train(after, bits, Pace{options_.final_batches, 1.0, 0.0});
    const Scored at_the_end = Read(end, bits).score;
    outcome.final_loss = at_the_end.loss;
    outcome.final_error = at_the_end.error();
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
  TwinLosses twin_;
};

// " .87 +- .03 (3 seeds)": the mean over seeds, with its interval where there is one.
void PrintMean(const std::vector<double>& values, const char* format) {
  if (values.empty()) {
    std::printf(" nothing: all tied");
    return;
  }
  std::printf(format, MeanOf(values));
  if (values.size() > 1) std::printf(" +- %.4f", HalfWidth95(values));
  std::printf(" (%zu seeds)", values.size());
}

// What pairs say, of all seeds so far: taus of each seed, and all pairs counted.
void PrintTaus(const std::vector<std::vector<Outcome>>& seeds, int deepest) {
  for (const Judged& judged : kJudged) {
    for (const Charge& charge : kCharges) {
      std::vector<double> taus;
      int agree = 0;
      int disagree = 0;
      for (const std::vector<Outcome>& outcomes : seeds) {
        const OrderedPairs pairs = Judge(outcomes, judged, charge, deepest);
        if (const std::optional<double> tau = pairs.Tau()) taus.push_back(*tau);
        agree += pairs.agree;
        disagree += pairs.disagree;
      }
      std::printf("%s, %s: tau with the final error", judged.name, charge.name);
      PrintMean(taus, " %.2f");
      std::printf("; %d pairs agree, %d do not\n", agree, disagree);
    }
  }
}

// Root mean square of a charge less what is left after the final training, nats: the final loss over that
// of 8 bit from its own place of the same depth. Without the narrowest widths from 8 bit's places, which
// are far from trained then.
double Magnitude(const std::vector<Outcome>& outcomes, const Charge& charge) {
  double squares = 0.0;
  int count = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.place == kPlaceWidths[0] && outcome.widths == std::end(kWidths)[-1]) continue;
    const auto reference =
        std::find_if(outcomes.begin(), outcomes.end(), [&](const Outcome& other) {
          return other.place == kPlaceWidths[0] && other.widths == kWidths[0] &&
                 other.place_batches == outcome.place_batches;
        });
    const double left = outcome.final_loss - reference->final_loss;
    const double error = outcome.*charge.figure - left;
    squares += error * error;
    ++count;
  }
  return std::sqrt(squares / count);
}

void PrintMagnitudes(const std::vector<std::vector<Outcome>>& seeds) {
  for (const Charge& charge : kCharges) {
    if (!charge.is_excess) continue;
    std::vector<double> magnitudes;
    for (const std::vector<Outcome>& outcomes : seeds) {
      magnitudes.push_back(Magnitude(outcomes, charge));
    }
    std::printf("%s: differs from what is left after the final training by", charge.name);
    PrintMean(magnitudes, " %.4f nats");
    std::printf("\n");
  }
}

void RunAll(const Options& options) {
  SetComputeThreads(options.threads);
  const DataSplits data = ValueOrExit(LoadDataSplits(options.data));
  std::vector<std::vector<Outcome>> seeds;
  std::vector<double> biases_of_a_step, biases;
  for (int seed = options.first_seed; seed < options.first_seed + options.seeds; ++seed) {
    std::printf("\nseed %d\n\n", seed);
    Experiment experiment(options, data, seed);
    experiment.TrainTwin();
    const std::vector<double> late = experiment.RestartLate();
    biases_of_a_step.push_back(late.front());
    biases.push_back(late.back());
    std::printf(
        "\n| place | candidate | loss | charge | excess over the twin | over 8 bit on the "
        "same weights | final loss | final error |\n|---|---|---|---|---|---|---|---|\n");
    seeds.push_back(experiment.Run());
    std::printf("\nso far:\n");
    PrintTaus(seeds, options.place_batches.back());
    PrintMagnitudes(seeds);
    std::printf("a late restart is charged, after its first step");
    PrintMean(biases_of_a_step, " %+.4f nats");
    std::printf(", after the depth of the shallowest candidates");
    PrintMean(biases, " %+.4f nats");
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  bitpilot::Options options;
  options.folder = std::filesystem::temp_directory_path().string();
  CLI::App app("Does the reward order candidates as the final training will?");
  app.add_option("--data", options.data, "Folder with CIFAR-10, or sample")->capture_default_str();
  app.add_option("--folder", options.folder, "Where states of the weights are kept meanwhile");
  app.add_option("--place-batches", options.place_batches,
                 "Mini-batches of the places, comma-separated, at each of w8a8 and w2a4")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--step-batches", options.step_batches)->check(CLI::PositiveNumber);
  app.add_option("--final-batches", options.final_batches)->check(CLI::PositiveNumber);
  app.add_option("--seeds", options.seeds)->check(CLI::PositiveNumber);
  app.add_option("--first-seed", options.first_seed)->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "That training and reading compute on")
      ->check(CLI::Range(1, bitpilot::kMaxComputeThreads))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::sort(options.place_batches.begin(), options.place_batches.end());
  bitpilot::RunAll(options);
}

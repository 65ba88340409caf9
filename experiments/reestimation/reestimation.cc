// How many mini-batches batch norm must be re-estimated on before a loss is read. See README.md
// beside this file.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/model/sample_data.h"
#include "agent/qat/compute_threads.h"
#include "agent/qat/loss_summary.h"
#include "agent/qat/quantized_model.h"
#include "agent/qat/scored_network.h"

namespace bitpilot {
namespace {

constexpr int kBatchSize = 128;

struct Options {
  std::string model = "resnet8";
  std::string weights;
  std::string data = "sample";
  int train_batches = 20;  // at each width between switches
  int low_batches = 40;    // at w2a4
  int images = 3000;       // of the validation range: all, as a search reads them
  int repeats = 4;         // other images for each number of mini-batches
  int reference = 200;     // mini-batches that the others are compared with
  std::vector<int> compared = {8, 16, 32};
  int threads = 2;
  double learning_rate = 2e-4;
  bool own_ranges = false;    // of each set, rather than one's for all
  bool which_images = false;  // instead: whole images or crops
};

template <typename T>
T ValueOrExit(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "reestimation: %s\n", result.status().message().c_str());
  std::exit(1);
}

void OrExit(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "reestimation: %s\n", status.message().c_str());
  std::exit(1);
}

// Training images. `first` begin every set, as those of a search do: ranges that were never trained
// are chosen on them. All others are in one set only.
struct Images {
  ImageDataset first;      // empty with --own-ranges
  ImageDataset compared;   // batch norm is estimated on parts of them
  ImageDataset reference;  // ... and on these, to compare with
  ImageDataset validation;
};

// The reference has its mini-batches, but all of `first` and no more than half of the training images.
Images Split(const Options& options, const DataSplits& data) {
  const std::size_t size = data.train.size();
  const std::size_t first = options.own_ranges ? 0 : std::min(kCalibrationImages, size / 4);
  const std::size_t asked =
      std::max(first, static_cast<std::size_t>(options.reference) * kBatchSize) - first;
  const std::size_t begin = size - std::min(asked, size / 2);
  const auto read = static_cast<std::size_t>(options.images);
  return {data.train.Slice(0, first), data.train.Slice(first, begin), data.train.Slice(begin, size),
          data.validation.Slice(0, std::min(read, data.validation.size()))};
}

// The images of `a`, then those of `b`.
ImageDataset Joined(ImageDataset a, const ImageDataset& b) {
  a.pixels.insert(a.pixels.end(), b.pixels.begin(), b.pixels.end());
  a.labels.insert(a.labels.end(), b.labels.begin(), b.labels.end());
  return a;
}

// As a search reads: with batch norm from all of `images`, of the integer network.
ScoredNetwork Read(QuantizedModel& model, const ImageDataset& images,
                   const ImageDataset& validation) {
  const auto batches = static_cast<int>((images.size() + kBatchSize - 1) / kBatchSize);
  OrExit(model.ReestimateBatchNorm(images, batches, kBatchSize));
  std::optional<ScoredNetwork> read = ValueOrExit(ScoreNetwork(model.Export(), validation));
  if (!read) OrExit(Unsupported("the loss is no finite number: lower --learning-rate"));
  return std::move(*read);
}

// Standard error of the mean difference that comes from which images were read, nats.
double PairedError(const ScoredNetwork& a, const ScoredNetwork& b) {
  std::vector<double> differences(a.losses.size());
  for (std::size_t i = 0; i < differences.size(); ++i) {
    differences[i] = static_cast<double>(a.losses[i]) - static_cast<double>(b.losses[i]);
  }
  return StandardErrorOfMean(differences);
}

// Reads the loss after re-estimation on each number of mini-batches, on up to `repeats` sets of
// images; prints its differences to the reference.
void PrintReadings(const Options& options, const Images& images, QuantizedModel& model,
                   const std::string& what) {
  const ImageDataset reference_images = Joined(images.first, images.reference);
  const ScoredNetwork reference = Read(model, reference_images, images.validation);
  const double loss = reference.score.loss;
  std::printf("%s: %zu images: loss %.4f (+- %.4f), accuracy %.4f; fake-quantized %.4f\n",
              what.c_str(), reference_images.size(), loss, reference.score.loss_error,
              1.0 - reference.score.error(), model.Evaluate(images.validation).loss);
  for (const int batches : options.compared) {
    const std::size_t asked = static_cast<std::size_t>(batches) * kBatchSize;
    if (asked <= images.first.size()) {
      std::printf("  %3d mini-batches: none besides the images of the ranges\n", batches);
      continue;
    }
    const std::size_t size = asked - images.first.size();
    double worst = 0.0;
    double sum = 0.0;
    double squares = 0.0;
    double image_variances = 0.0;  // of the relative differences
    int repeat = 0;
    for (; repeat < options.repeats; ++repeat) {
      const std::size_t begin = static_cast<std::size_t>(repeat) * size;
      if (begin + size > images.compared.size()) break;
      const ImageDataset set = Joined(images.first, images.compared.Slice(begin, begin + size));
      const ScoredNetwork read = Read(model, set, images.validation);
      const double difference = read.score.loss / loss - 1.0;
      const double image_error = PairedError(read, reference) / loss;
      worst = std::max(worst, std::abs(difference));
      sum += difference;
      squares += difference * difference;
      image_variances += image_error * image_error;
    }
    if (repeat == 0) {
      std::printf("  %3d mini-batches: not as many images\n", batches);
      continue;
    }
    std::printf(
        "  %3d mini-batches: largest difference %5.2f %%, mean %+5.2f %%, rms %5.2f %% (%d sets); "
        "which images are read makes %.2f %%\n",
        batches, 100.0 * worst, 100.0 * sum / repeat, 100.0 * std::sqrt(squares / repeat), repeat,
        100.0 * std::sqrt(image_variances / repeat));
    std::fflush(stdout);
  }
}

void SetWidths(QuantizedModel& model, int weight_bits, int activation_bits) {
  OrExit(model.SetAssignment(
      UniformAssignment(model.definition().topology, weight_bits, activation_bits)));
}

void TrainOrExit(QuantizedModel& model, const DataSplits& data, int batches, double rate) {
  TrainOptions training;
  training.learning_rate = rate;
  if (!model.Train(data.train, batches, training)) {
    OrExit(Unsupported("training diverged: lower --learning-rate"));
  }
}

// Untrained weights at 8 bits: as published, calibrated, and with batch norm of whole images and of crops.
void PrintWhichImages(const ModelDefinition& definition, const std::string& weights,
                      const DataSplits& data) {
  const auto print = [](const char* what, const Evaluation& read) {
    std::printf("%s: loss %.4f, accuracy %.4f\n", what, read.loss, read.accuracy);
    std::fflush(stdout);
  };
  QuantizedModel model = ValueOrExit(QuantizedModel::Create(definition, weights, /*seed=*/1));
  print("float", model.EvaluateFloat(data.validation));
  model.Calibrate(data.train);
  print("w8a8, calibrated", model.Evaluate(data.validation));
  for (const bool crops : {false, true}) {
    ModelDefinition trained_so = definition;
    trained_so.estimates_on_crops = crops;
    QuantizedModel read = ValueOrExit(QuantizedModel::Create(trained_so, weights, /*seed=*/1));
    OrExit(read.ReestimateBatchNorm(data.train));
    print(crops ? "w8a8, batch norm of crops" : "w8a8, batch norm of whole images",
          read.Evaluate(data.validation));
  }
}

void Run(const Options& options) {
  const ModelDefinition definition = ValueOrExit(FindModel(options.model));
  const std::string weights =
      options.weights.empty() ? ValueOrExit(ShippedWeightsFile(options.model)) : options.weights;
  const DataSplits data = ValueOrExit(LoadDataSplits(options.data));
  if (options.which_images) {
    SetComputeThreads(options.threads);
    return PrintWhichImages(definition, weights, data);
  }
  const Images images = Split(options, data);
  SetComputeThreads(options.threads);
  QuantizedModel model = ValueOrExit(QuantizedModel::Create(definition, weights, /*seed=*/1));
  model.Calibrate(data.train);
  const std::string start = model.SaveCheckpoint();

  std::printf("switches, %d mini-batches at each width\n", options.train_batches);
  for (const int bits : {8, 4, 8, 4}) {
    SetWidths(model, bits, bits);
    const std::string name = "w" + std::to_string(bits) + "a" + std::to_string(bits);
    if (model.batches_trained() > 0) {
      PrintReadings(options, images, model,
                    "after " + std::to_string(model.batches_trained()) +
                        " mini-batches, right after the switch to " + name);
    }
    TrainOrExit(model, data, options.train_batches, options.learning_rate);
  }

  std::printf("weights trained at w2a4, %d mini-batches\n", options.low_batches);
  OrExit(model.LoadCheckpoint(start));
  SetWidths(model, 2, 4);
  TrainOrExit(model, data, options.low_batches, options.learning_rate);
  PrintReadings(options, images, model, "read at w2a4");
  SetWidths(model, 8, 8);
  PrintReadings(options, images, model, "read at w8a8");
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  bitpilot::Options options;
  CLI::App app("Loss after re-estimating batch norm on few and on many mini-batches");
  app.add_option("--model", options.model, "network")->capture_default_str();
  app.add_option("--weights", options.weights, "its weight file (shipped for resnet8)");
  app.add_option("--data", options.data, "\"sample\" or a folder")->capture_default_str();
  app.add_option("--train-batches", options.train_batches, "mini-batches at each width")
      ->capture_default_str();
  app.add_option("--low-batches", options.low_batches, "mini-batches at w2a4")
      ->capture_default_str();
  app.add_option("--images", options.images, "validation images")->capture_default_str();
  app.add_option("--repeats", options.repeats, "sets of images a number of mini-batches")
      ->capture_default_str();
  app.add_option("--reference", options.reference,
                 "mini-batches to compare with, of other images (at most half of them)")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--compared", options.compared, "mini-batches, comma-separated")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads, "that it computes on")
      ->check(CLI::Range(1, bitpilot::kMaxComputeThreads))
      ->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate, "Adam, constant")->capture_default_str();
  app.add_flag("--own-ranges", options.own_ranges,
               "choose ranges that were never trained on the first images of each set, rather than "
               "on one set's for all");
  app.add_flag("--which-images", options.which_images,
               "instead: untrained weights at 8 bits, batch norm of whole images and of crops");
  CLI11_PARSE(app, argc, argv);
  bitpilot::Run(options);
  return 0;
}

// Accuracy of import, calibration, training and export on all images of a CIFAR-10 test file, what
// a search calls validation (records 0-2,999) and test alike. For reference: a search reads the
// validation range only. See README.md beside this file.
#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "agent/model/image_dataset.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/quantized_model.h"

namespace bitpilot {
namespace {

struct Options {
  std::string data = "../shared/data";
  std::string model = "resnet20";
  int epochs = 0;
  double learning_rate = 1e-3;
  int weight_bits = 4;
  int activation_bits = 4;
  bool distill = true;
  std::uint64_t seed = 1;
  std::string save;
};

// Images of all 8,000 right in the float network, as the weights' origin states them.
int PublishedCorrect(const std::string& model) { return model == "resnet8" ? 6976 : 7330; }

template <typename T>
T ValueOrExit(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "accuracy_bars: %s\n", result.status().message().c_str());
  std::exit(1);
}

double Seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

int Correct(const Evaluation& evaluation) {
  return static_cast<int>(
      std::lround(evaluation.accuracy * static_cast<double>(evaluation.predictions.size())));
}

std::string WeightFile(const Options& options) {
  if (options.model == "resnet8") {
    return options.data + "/mlperf_tiny/models/ic_resnet8.safetensors";
  }
  return options.data + "/cifar10_resnet/" + options.model + ".safetensors";
}

ImageDataset TestImages(const DataSplits& splits) {
  ImageDataset all = splits.validation;
  all.name = "validation and test";
  all.pixels.insert(all.pixels.end(), splits.test.pixels.begin(), splits.test.pixels.end());
  all.labels.insert(all.labels.end(), splits.test.labels.begin(), splits.test.labels.end());
  return all;
}

// Fake-quantized and integer network at the current assignment.
void PrintQuantized(const char* what, const QuantizedModel& model, const ImageDataset& test,
                    int float_correct) {
  const Evaluation fake = model.Evaluate(test);
  const Evaluation integer = ValueOrExit(EvaluateInteger(model.Export(), test));
  int same = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    same += fake.predictions[i] == integer.predictions[i] ? 1 : 0;
  }
  const double count = static_cast<double>(test.size());
  std::printf(
      "%s: fake-quantized %d right (%.2f %%, %+.2f points to float), integer %d right, same class "
      "on "
      "%d (%.3f %%)\n",
      what, Correct(fake), 100.0 * fake.accuracy, 100.0 * (Correct(fake) - float_correct) / count,
      Correct(integer), same, 100.0 * same / count);
  std::fflush(stdout);
}

void TrainAndPrint(const Options& options, const ImageDataset& train, const ImageDataset& test,
                   int float_correct, QuantizedModel& model) {
  TrainOptions training;
  training.learning_rate = options.learning_rate;
  training.distill = options.distill;
  training.rate_end = 0.0;
  const std::int64_t batches_per_epoch =
      static_cast<std::int64_t>(train.size()) / training.batch_size;
  training.schedule_batches = options.epochs * batches_per_epoch;
  const double start = Seconds();
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    training.schedule_position = model.batches_trained();
    const std::optional<double> loss = model.Train(train, batches_per_epoch, training);
    if (!loss || !model.ReestimateBatchNorm(train).ok()) {
      std::printf("epoch %d of %d: training diverged\n", epoch, options.epochs);
      return;
    }
    std::printf("epoch %d of %d: training loss %.4f, %d right, %.0f s\n", epoch, options.epochs,
                *loss, Correct(model.Evaluate(test)), Seconds() - start);
    std::fflush(stdout);
  }
  PrintQuantized("by training", model, test, float_correct);
  if (options.save.empty()) return;
  const Status saved = model.SaveWeights(options.save);
  if (!saved.ok()) std::fprintf(stderr, "accuracy_bars: %s\n", saved.message().c_str());
}

int Run(const Options& options) {
  const ModelDefinition definition = ValueOrExit(FindModel(options.model));
  const DataSplits splits = ValueOrExit(LoadDataSplits(options.data + "/cifar10"));
  const ImageDataset test = TestImages(splits);
  QuantizedModel model =
      ValueOrExit(QuantizedModel::Create(definition, WeightFile(options), options.seed));
  const double start = Seconds();
  const int float_correct = Correct(model.EvaluateFloat(test));
  std::printf("%s, %zu images, float: %d right (published %d), %.1f s\n", options.model.c_str(),
              test.size(), float_correct, PublishedCorrect(options.model), Seconds() - start);
  model.Calibrate(splits.train);
  PrintQuantized("8 bit by calibration", model, test, float_correct);
  const BitAssignment assignment =
      UniformAssignment(definition.topology, options.weight_bits, options.activation_bits);
  const Status set = model.SetAssignment(assignment);
  if (!set.ok()) std::fprintf(stderr, "accuracy_bars: %s\n", set.message().c_str());
  model.Calibrate(splits.train);
  std::printf("assignment %s\n", ToString(assignment).c_str());
  PrintQuantized("by calibration", model, test, float_correct);
  TrainAndPrint(options, splits.train, test, float_correct, model);
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  bitpilot::Options options;
  CLI::App app("Accuracy of import, calibration, training and export on 8,000 images");
  app.add_option("--data", options.data, "folder with cifar10, cifar10_resnet, mlperf_tiny");
  app.add_option("--model", options.model, "resnet8 or resnet20");
  app.add_option("--epochs", options.epochs, "training epochs over the 50,000 images");
  app.add_option("--learning-rate", options.learning_rate, "Adam, cosine to 0");
  app.add_option("--weight-bits", options.weight_bits, "of all layers but the first and last");
  app.add_option("--activation-bits", options.activation_bits, "likewise");
  app.add_flag("!--no-distill", options.distill, "train on labels only");
  app.add_option("--seed", options.seed, "order and augmentation of the images");
  app.add_option("--save", options.save, "weight file to write after training");
  CLI11_PARSE(app, argc, argv);
  return bitpilot::Run(options);
}

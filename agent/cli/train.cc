// bitpilot train: trains a network at fixed widths.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/search_display.h"
#include "agent/model/bit_spec.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/model/sample_data.h"
#include "agent/qat/compute_threads.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/quantized_model.h"
#include "agent/session/named_inputs.h"
#include "agent/study/search_config.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kBatchesPerReport = 25;
constexpr double kMaxEpochs = 100'000.0;
constexpr std::int64_t kMaxBatches = 1'000'000;

struct TrainFlags {
  std::string model;
  std::string weights;
  std::string data = "sample";
  std::string bits;
  std::string output;
  std::string teacher;  // "MODEL:WEIGHTS"; empty: the float network
  double epochs = 1.0;
  std::optional<std::int64_t> batches;  // instead of epochs
  TrainOptions options{.rate_end = 0.0};
  std::uint64_t seed = 1;
  int threads = UsableComputeThreads();
  bool no_distill = false;
  bool resume = false;
  bool json = false;
};

std::string CheckpointFile(const TrainFlags& flags) { return flags.output + ".ckpt"; }

// A larger network to distil from.
struct FoundTeacher {
  ModelDefinition definition;
  std::string weights;
};

// Nothing without --teacher.
Result<std::optional<FoundTeacher>> FindTeacher(const TrainFlags& flags) {
  if (flags.teacher.empty()) return std::optional<FoundTeacher>();
  const Result<Teacher> teacher = ParseTeacher(flags.teacher);
  if (!teacher.ok()) return teacher.status();
  Result<ModelDefinition> definition = FindModel(teacher->model);
  if (!definition.ok()) return definition.status().WithContext("--teacher");
  SearchConfig config;
  config.teacher = flags.teacher;
  Result<std::string> weights = TeacherFile(config);
  if (!weights.ok()) return weights.status().WithContext("--teacher");
  return std::optional<FoundTeacher>({std::move(*definition), std::move(*weights)});
}

std::int64_t BatchesOf(const TrainFlags& flags, std::size_t images) {
  if (flags.batches) return *flags.batches;
  const double of_epochs = flags.epochs * static_cast<double>(images) / flags.options.batch_size;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(of_epochs));
}

// Trains in short runs and reports between them. Returns false if it was stopped.
//
// Errors: kUnsupported if training diverges.
Result<bool> TrainWithReports(QuantizedModel& model, const ImageDataset& train,
                              const TrainFlags& flags) {
  const std::int64_t total = flags.options.schedule_batches;
  const std::int64_t first = model.batches_trained();
  const auto start = std::chrono::steady_clock::now();
  while (model.batches_trained() < total && !StopRequested()) {
    const std::int64_t batches = std::min(kBatchesPerReport, total - model.batches_trained());
    TrainOptions options = flags.options;
    options.schedule_position = model.batches_trained();
    const std::optional<double> loss = model.Train(train, batches, options, StopRequested);
    if (!loss) {
      return Unsupported("training diverged after mini-batch " +
                         std::to_string(model.batches_trained()) +
                         " (a loss or a weight is no finite number), and nothing was written: "
                         "lower --learning-rate, or use wider bits");
    }
    const double elapsed_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto done = model.batches_trained();
    const double images_per_s =
        static_cast<double>((done - first) * flags.options.batch_size) / elapsed_s;
    const double left_s =
        static_cast<double>((total - done) * flags.options.batch_size) / images_per_s;
    std::fprintf(stderr, "  batch %lld/%lld  loss %.4f  %.0f images/s  %.0f s left\n",
                 static_cast<long long>(done), static_cast<long long>(total), *loss, images_per_s,
                 left_s);
    if (flags.json)
      PrintJson({{"type", "progress"}, {"batch", done}, {"batches", total}, {"loss", *loss}});
  }
  return model.batches_trained() >= total;
}

Result<Json> Train(TrainFlags& flags) {
  const Result<ModelDefinition> definition = FindModel(flags.model);
  if (!definition.ok()) return definition.status().WithContext("--model");
  const Result<BitAssignment> assignment = ParseBitSpec(flags.bits, definition->topology);
  if (!assignment.ok()) return assignment.status();
  const Result<std::optional<FoundTeacher>> teacher = FindTeacher(flags);
  if (!teacher.ok()) return teacher.status();
  BITPILOT_RETURN_IF_ERROR(CheckOutput(
      "--output", flags.output,
      {flags.weights, flags.data, flags.bits, *teacher ? (*teacher)->weights : std::string()}));
  Result<std::string> weights = flags.weights;
  if (flags.weights.empty()) weights = ShippedWeightsFile(flags.model);
  if (!weights.ok()) return weights.status();
  const Result<DataSplits> data = LoadDataSplits(flags.data);
  if (!data.ok()) return data.status().WithContext("--data");
  BITPILOT_RETURN_IF_ERROR(CheckBatchSize(flags.options.batch_size, data->train.size()));
  SetComputeThreads(flags.threads);
  const WeightNotice notice = [&](const std::string& text) {
    SearchDisplay(flags.json).OnNotice(text);
  };
  Result<QuantizedModel> model = QuantizedModel::Create(*definition, *weights, flags.seed, notice);
  if (!model.ok()) return model.status();
  if (*teacher) {
    const FoundTeacher& found = **teacher;
    BITPILOT_RETURN_IF_ERROR(
        model->SetTeacher(found.definition, found.weights, notice).WithContext("--teacher"));
  }
  if (flags.resume) {
    const Result<std::string> checkpoint = ReadFile(CheckpointFile(flags));
    if (!checkpoint.ok()) return checkpoint.status().WithContext("--resume");
    BITPILOT_RETURN_IF_ERROR(model->LoadCheckpoint(*checkpoint));
    if (model->assignment() != *assignment) {
      return InvalidArgument(CheckpointFile(flags) + " was saved at other widths (" +
                             ToString(model->assignment()) + ") than --bits " + flags.bits);
    }
  } else {
    BITPILOT_RETURN_IF_ERROR(model->SetAssignment(*assignment));
    model->Calibrate(data->train);
  }
  flags.options.distill = !flags.no_distill;
  flags.options.schedule_batches = BatchesOf(flags, data->train.size());
  const Result<bool> finished = TrainWithReports(*model, data->train, flags);
  if (!finished.ok()) return finished.status();
  if (!*finished) {
    BITPILOT_RETURN_IF_ERROR(WriteFileAtomically(CheckpointFile(flags), model->SaveCheckpoint()));
    return Status(StatusCode::kAborted, "stopped after " +
                                            std::to_string(model->batches_trained()) +
                                            " batches; saved in " + CheckpointFile(flags) +
                                            ": repeat the command with --resume to go on");
  }
  BITPILOT_RETURN_IF_ERROR(model->ReestimateBatchNorm(data->train));
  BITPILOT_RETURN_IF_ERROR(model->SaveWeights(flags.output));
  const Network network = model->Export();
  const Result<Evaluation> validation = EvaluateInteger(network, data->validation);
  if (!validation.ok()) return validation.status();
  const Result<Evaluation> test = EvaluateInteger(network, data->test);
  if (!test.ok()) return test.status();
  return Json{{"type", "result"},
              {"model", flags.model},
              {"bits", flags.bits},
              {"batches", model->batches_trained()},
              {"validation_accuracy", validation->accuracy},
              {"accuracy", test->accuracy},
              {"weight_bytes", WeightBytes(definition->topology, *assignment)},
              {"output", flags.output}};
}

int RunTrainCommand(TrainFlags& flags) {
  StopOnSignals();
  const Result<Json> line = Train(flags);
  if (!line.ok()) return Fail(line.status(), flags.json);
  if (flags.json) {
    PrintJson(*line);
  } else {
    std::printf(
        "%s at %s after %lld batches: accuracy %.4f on the test range, %.4f on validation (integer "
        "network); wrote %s\n",
        flags.model.c_str(), flags.bits.c_str(), (*line)["batches"].get<long long>(),
        (*line)["accuracy"].get<double>(), (*line)["validation_accuracy"].get<double>(),
        flags.output.c_str());
  }
  return kExitDone;
}

}  // namespace

void AddTrainCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("train", "Train a network at fixed widths");
  const auto flags = std::make_shared<TrainFlags>();
  command->add_option("--model", flags->model, "Network, e.g. resnet8")->required();
  command->add_option("--weights", flags->weights,
                      "Float weights (.safetensors) to start from; resnet8's are shipped");
  command
      ->add_option("--data", flags->data,
                   "\"sample\" (shipped), or a folder with CIFAR-10's binary files")
      ->capture_default_str();
  command->add_option("--bits", flags->bits, "Widths: w4a4 (8-bit ends) or a JSON file")
      ->required();
  auto* epochs =
      command
          ->add_option("--epochs", flags->epochs,
                       "Passes over the training images; at least one mini-batch is trained")
          ->transform(NumberIn(0.0, kMaxEpochs))
          ->capture_default_str();
  command->add_option("--batches", flags->batches, "How long, in mini-batches instead")
      ->transform(WholeNumberIn(1, kMaxBatches))
      ->excludes(epochs);
  command->add_option("--batch-size", flags->options.batch_size, "Images in a mini-batch")
      ->transform(WholeNumberIn(2, kMaxBatchSize))
      ->capture_default_str();
  command
      ->add_option("--learning-rate", flags->options.learning_rate,
                   "Adam's, decays to 0 by a cosine")
      ->transform(NumberIn(0.0))
      ->capture_default_str();
  command
      ->add_option("--train-threads", flags->threads,
                   "Threads that train: other numbers train to slightly other weights")
      ->transform(WholeNumberIn(1, kMaxTrainThreads))
      ->capture_default_str();
  auto* no_distill =
      command->add_flag("--no-distill", flags->no_distill,
                        "Train on labels alone, not on the float network's outputs too");
  command
      ->add_option("--teacher", flags->teacher,
                   "MODEL:WEIGHTS, a larger float network to distil from, e.g. "
                   "resnet56:resnet56.safetensors")
      ->excludes(no_distill);
  command->add_option("--seed", flags->seed, "Of the order and augmentation of images")
      ->transform(NumberIn<std::uint64_t>(0))
      ->capture_default_str();
  command->add_option("-o,--output", flags->output, "The trained weights (.safetensors)")
      ->required();
  command->add_flag(
      "--resume", flags->resume,
      "Go on from the checkpoint that Ctrl-C left beside the output, with its seed; give the "
      "--teacher and --train-threads that it began with, too");
  AddJsonFlag(*command, flags->json);
  command->callback([flags, &exit_code] { exit_code = RunTrainCommand(*flags); });
}

}  // namespace bitpilot

// bitpilot train: trains a network at fixed widths.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/search_display.h"
#include "agent/cli/train_checkpoint.h"
#include "agent/cli/train_files.h"
#include "agent/cli/train_flags.h"
#include "agent/model/image_dataset.h"
#include "agent/qat/compute_threads.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/quantized_model.h"
#include "agent/session/named_inputs.h"
#include "kernels/base/file_io.h"
#include "kernels/base/number_text.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kBatchesPerReport = 25;

std::int64_t BatchesOf(const TrainFlags& flags, std::size_t images) {
  if (flags.batches) return *flags.batches;
  const double of_epochs = flags.epochs * static_cast<double>(images) / flags.options.batch_size;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(of_epochs));
}

// Trains in short runs, and reports and saves between them. Returns false if it was stopped.
//
// Errors: kUnsupported if training diverges.
Result<bool> TrainWithReports(QuantizedModel& model, const ImageDataset& train,
                              const TrainFlags& flags, TrainFiles& files) {
  const std::int64_t total = flags.options.schedule_batches;
  const std::int64_t first = model.batches_trained();
  const auto start = std::chrono::steady_clock::now();
  const auto pauses = [&] { return StopRequested() || files.IsDue(model); };
  while (model.batches_trained() < total && !StopRequested()) {
    const std::int64_t batches = std::min(kBatchesPerReport, total - model.batches_trained());
    TrainOptions options = flags.options;
    options.schedule_position = model.batches_trained();
    const std::optional<double> loss = model.Train(train, batches, options, pauses);
    if (!loss) {
      files.Forget();
      return Unsupported("training diverged after mini-batch " +
                         std::to_string(model.batches_trained()) +
                         " (a loss or a weight is no finite number), and nothing was written: "
                         "lower --learning-rate, or use wider bits");
    }
    files.SaveIfDue(model);
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

Result<std::string> HashOfFile(const std::string& path) {
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  return Sha256Hex(*bytes);
}

// Errors: ReadFile()'s.
Result<TrainRecipe> RecipeOf(const TrainFlags& flags, const TrainInputs& inputs,
                             const DataSplits& data) {
  TrainRecipe recipe;
  const Result<std::string> weights = HashOfFile(inputs.weights);
  if (!weights.ok()) return weights.status().WithContext("--weights").AsCorruptInput();
  recipe.weights_sha256 = *weights;
  recipe.data_sha256 = FingerprintOf(data);
  if (const std::optional<FoundTeacher>& teacher = inputs.teacher) {
    const Result<std::string> hash = HashOfFile(teacher->weights);
    if (!hash.ok()) return hash.status().WithContext("--teacher").AsCorruptInput();
    recipe.teacher = teacher->definition.topology.name;
    recipe.teacher_sha256 = *hash;
  }
  recipe.distill = flags.options.distill;
  recipe.learning_rate = flags.options.learning_rate;
  recipe.batch_size = flags.options.batch_size;
  recipe.batches = flags.options.schedule_batches;
  return recipe;
}

// Errors: ReadFile()'s, ParseTrainCheckpoint()'s and CheckSameRecipe()'s, naming the file.
Result<TrainCheckpoint> ReadCheckpoint(const std::string& path, const TrainRecipe& now,
                                       SearchDisplay& display) {
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status().WithContext("--resume").AsCorruptInput();
  Result<TrainCheckpoint> checkpoint = ParseTrainCheckpoint(*bytes);
  if (!checkpoint.ok()) return checkpoint.status().WithContext(path);
  if (checkpoint->recipe) {
    BITPILOT_RETURN_IF_ERROR(CheckSameRecipe(*checkpoint->recipe, now).WithContext(path));
  } else {
    display.OnNotice(path +
                     " of an older bitpilot does not say how it trained: give the flags that " +
                     "it began with");
  }
  return checkpoint;
}

// Other numbers train to slightly other weights: training that goes on keeps its own, unless told
// otherwise.
int ThreadsOf(const TrainFlags& flags, const TrainCheckpoint& checkpoint) {
  if (flags.threads) return *flags.threads;
  return checkpoint.threads.back() > 0 ? checkpoint.threads.back() : UsableComputeThreads();
}

Result<Json> Train(TrainFlags& flags) {
  const Result<TrainInputs> inputs = CheckTrain(flags, Pipes::kRead);
  if (!inputs.ok()) return inputs.status();
  const Result<DataSplits> data = LoadDataSplits(flags.data);
  if (!data.ok()) return data.status().WithContext("--data");
  BITPILOT_RETURN_IF_ERROR(CheckBatchSize(flags.options.batch_size, data->train.size()));
  flags.options.distill = !flags.no_distill;
  flags.options.schedule_batches = BatchesOf(flags, data->train.size());
  Result<TrainRecipe> recipe = RecipeOf(flags, *inputs, *data);
  if (!recipe.ok()) return recipe.status();
  SearchDisplay display(flags.json);
  const WeightNotice notice = [&display](const std::string& text) { display.OnNotice(text); };
  Result<TrainFiles> files = TrainFiles::Claim(flags, notice);
  if (!files.ok()) return files.status();
  TrainCheckpoint checkpoint;
  if (flags.resume) {
    Result<TrainCheckpoint> read = ReadCheckpoint(CheckpointFile(flags), *recipe, display);
    if (!read.ok()) return read.status();
    checkpoint = std::move(*read);
  }
  const int threads = ThreadsOf(flags, checkpoint);
  if (flags.resume) display.OnNotice(DescribeThreads(checkpoint.threads, threads));
  checkpoint.threads =
      flags.resume ? WithThreads(std::move(checkpoint.threads), threads) : std::vector{threads};
  checkpoint.recipe = std::move(*recipe);
  SetComputeThreads(threads);
  Result<QuantizedModel> model =
      QuantizedModel::Create(inputs->definition, inputs->weights, flags.seed, notice);
  if (!model.ok()) return model.status();
  if (const std::optional<FoundTeacher>& teacher = inputs->teacher) {
    BITPILOT_RETURN_IF_ERROR(
        model->SetTeacher(teacher->definition, teacher->weights, notice).WithContext("--teacher"));
  }
  if (flags.resume) {
    BITPILOT_RETURN_IF_ERROR(
        model->LoadCheckpoint(checkpoint.state).WithContext(CheckpointFile(flags)));
    if (model->assignment() != inputs->assignment) {
      return InvalidArgument(CheckpointFile(flags) + " was saved at other widths (" +
                             ToString(model->assignment()) + ") than --bits " + flags.bits);
    }
    display.OnNotice("goes on after " +
                     Counted(model->batches_trained(), "mini-batch", "mini-batches"));
  } else {
    BITPILOT_RETURN_IF_ERROR(model->SetAssignment(inputs->assignment));
    model->Calibrate(data->train);
  }
  BITPILOT_RETURN_IF_ERROR(files->Begin(std::move(checkpoint), *model));
  const Result<bool> finished = TrainWithReports(*model, data->train, flags, *files);
  if (!finished.ok()) return finished.status();
  if (!*finished) {
    BITPILOT_RETURN_IF_ERROR(files->SaveAtStop(*model));
    return Status(
        StatusCode::kAborted,
        "stopped after " + Counted(model->batches_trained(), "mini-batch", "mini-batches") +
            "; saved in " + CheckpointFile(flags) + ": repeat the command with --resume to go on");
  }
  BITPILOT_RETURN_IF_ERROR(model->ReestimateBatchNorm(data->train));
  BITPILOT_RETURN_IF_ERROR(files->Finish(*model));
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
              {"weight_bytes", WeightBytes(inputs->definition.topology, inputs->assignment)},
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
        "%s at %s after %s: accuracy %.4f on the test range, %.4f on validation (integer "
        "network); wrote %s\n",
        flags.model.c_str(), flags.bits.c_str(),
        Counted((*line)["batches"].get<std::int64_t>(), "mini-batch", "mini-batches").c_str(),
        (*line)["accuracy"].get<double>(), (*line)["validation_accuracy"].get<double>(),
        flags.output.c_str());
  }
  return kExitDone;
}

}  // namespace

void AddTrainCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<TrainFlags>();
  AddTrainFlags(app, *flags)->callback([flags, &exit_code] {
    exit_code = RunTrainCommand(*flags);
  });
}

}  // namespace bitpilot

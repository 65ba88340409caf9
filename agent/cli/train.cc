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
#include "agent/cli/train_checkpoint.h"
#include "agent/cli/train_flags.h"
#include "agent/model/image_dataset.h"
#include "agent/qat/compute_threads.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/quantized_model.h"
#include "agent/study/search_config.h"
#include "kernels/base/file_io.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kBatchesPerReport = 25;

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

// Other numbers train to slightly other weights: training that goes on keeps its own, unless told
// otherwise.
int ThreadsOf(const TrainFlags& flags, const TrainCheckpoint& checkpoint) {
  const int threads = flags.threads.value_or(checkpoint.threads.value_or(UsableComputeThreads()));
  if (!flags.resume) return threads;
  const std::string goes_on = "goes on with " + Counted(threads, "training thread");
  SearchDisplay display(flags.json);
  if (!checkpoint.threads) {
    display.OnNotice(goes_on +
                     "; the checkpoint of an older bitpilot does not say how many it had");
  } else if (*checkpoint.threads != threads) {
    display.OnNotice(goes_on + ", not with the " + std::to_string(*checkpoint.threads) +
                     " that it began with: its weights will be slightly other ones");
  } else {
    display.OnNotice(goes_on + ", as it began");
  }
  return threads;
}

Result<Json> Train(TrainFlags& flags) {
  const Result<TrainInputs> inputs = CheckTrain(flags, Pipes::kRead);
  if (!inputs.ok()) return inputs.status();
  const Result<DataSplits> data = LoadDataSplits(flags.data);
  if (!data.ok()) return data.status().WithContext("--data");
  BITPILOT_RETURN_IF_ERROR(CheckBatchSize(flags.options.batch_size, data->train.size()));
  TrainCheckpoint checkpoint;
  if (flags.resume) {
    const Result<std::string> bytes = ReadFile(CheckpointFile(flags));
    if (!bytes.ok()) return bytes.status().WithContext("--resume").AsCorruptInput();
    Result<TrainCheckpoint> read = ParseTrainCheckpoint(*bytes);
    if (!read.ok()) return read.status().WithContext(CheckpointFile(flags));
    checkpoint = std::move(*read);
  }
  const int threads = ThreadsOf(flags, checkpoint);
  SetComputeThreads(threads);
  const WeightNotice notice = [&](const std::string& text) {
    SearchDisplay(flags.json).OnNotice(text);
  };
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
  } else {
    BITPILOT_RETURN_IF_ERROR(model->SetAssignment(inputs->assignment));
    model->Calibrate(data->train);
  }
  flags.options.distill = !flags.no_distill;
  flags.options.schedule_batches = BatchesOf(flags, data->train.size());
  const Result<bool> finished = TrainWithReports(*model, data->train, flags);
  if (!finished.ok()) return finished.status();
  if (!*finished) {
    BITPILOT_RETURN_IF_ERROR(WriteFileAtomically(
        CheckpointFile(flags), FormatTrainCheckpoint(threads, model->SaveCheckpoint())));
    return Status(
        StatusCode::kAborted,
        "stopped after " + Counted(model->batches_trained(), "mini-batch", "mini-batches") +
            "; saved in " + CheckpointFile(flags) + ": repeat the command with --resume to go on");
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

#include "agent/cli/train_flags.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/model/bit_spec.h"
#include "agent/model/sample_data.h"
#include "agent/study/search_config.h"
#include "kernels/base/file_io.h"
#include "kernels/base/file_lock.h"

namespace bitpilot {
namespace {

constexpr double kMaxEpochs = 100'000.0;
constexpr std::int64_t kMaxBatches = 1'000'000;

}  // namespace

std::string CheckpointFile(const TrainFlags& flags) { return flags.output + ".ckpt"; }

Status CheckNothingIsReplaced(const TrainFlags& flags) {
  std::error_code ignored;
  const std::string checkpoint = CheckpointFile(flags);
  const bool is_unfinished = std::filesystem::exists(checkpoint, ignored);
  if (std::filesystem::is_regular_file(flags.output, ignored)) {
    return InvalidArgument("--output " + flags.output + " exists" +
                           (is_unfinished ? ", and an older checkpoint beside it" : "") +
                           ": remove it or name another file");
  }
  if (flags.resume && !is_unfinished) {
    return Status(StatusCode::kNotFound, "--resume: there is no unfinished training (" +
                                             checkpoint + "): train without --resume");
  }
  if (!flags.resume && is_unfinished) {
    return InvalidArgument("an unfinished training lies beside --output " + flags.output +
                           ": go on with --resume, or remove " + checkpoint + " to train anew");
  }
  return Status();
}

CLI::App* AddTrainFlags(CLI::App& app, TrainFlags& flags) {
  CLI::App* command = app.add_subcommand("train", "Train a network at fixed widths");
  command->add_option("--model", flags.model, "Network, e.g. resnet8")->required();
  command->add_option("--weights", flags.weights,
                      "Float weights (.safetensors) to start from; resnet8's are shipped");
  command
      ->add_option("--data", flags.data,
                   "\"sample\" (shipped), or a folder with CIFAR-10's binary files")
      ->capture_default_str();
  command->add_option("--bits", flags.bits, "Widths: w4a4 (8-bit ends) or a JSON file")->required();
  CLI::Option* epochs =
      command
          ->add_option("--epochs", flags.epochs,
                       "Passes over the training images; at least one mini-batch is trained")
          ->transform(NumberIn(0.0, kMaxEpochs))
          ->capture_default_str();
  command->add_option("--batches", flags.batches, "How long, in mini-batches instead")
      ->transform(WholeNumberIn(1, kMaxBatches))
      ->excludes(epochs);
  command->add_option("--batch-size", flags.options.batch_size, "Images in a mini-batch")
      ->transform(WholeNumberIn(2, kMaxBatchSize))
      ->capture_default_str();
  command
      ->add_option("--learning-rate", flags.options.learning_rate,
                   "Adam's, decays to 0 by a cosine")
      ->transform(NumberIn(0.0))
      ->capture_default_str();
  command
      ->add_option("--train-threads", flags.threads,
                   "Threads that train: other numbers train to slightly other weights. Default: "
                   "all CPUs, at most 8; with --resume those that it began with")
      ->transform(WholeNumberIn(1, kMaxTrainThreads));
  CLI::Option* no_distill =
      command->add_flag("--no-distill", flags.no_distill,
                        "Train on labels alone, not on the float network's outputs too");
  command
      ->add_option("--teacher", flags.teacher,
                   "MODEL:WEIGHTS, a larger float network to distil from, e.g. "
                   "resnet56:resnet56.safetensors")
      ->excludes(no_distill);
  command->add_option("--seed", flags.seed, "Of the order and augmentation of images")
      ->transform(NumberIn<std::uint64_t>(0))
      ->capture_default_str();
  command
      ->add_option("-o,--output", flags.output,
                   "The trained weights (.safetensors): a new file. Until it is written there is a "
                   "checkpoint beside it, OUTPUT.ckpt")
      ->required();
  command
      ->add_option("--checkpoint-seconds", flags.checkpoint_seconds,
                   "How far the checkpoint may be behind; 0: every mini-batch")
      ->transform(NumberIn(0.0))
      ->capture_default_str();
  command->add_flag(
      "--resume", flags.resume,
      "Go on from the checkpoint beside the output (after Ctrl-C, a closed terminal, a crash), "
      "with "
      "its seed and its number of threads; repeat the other flags that it began with");
  AddJsonFlag(*command, flags.json);
  return command;
}

Result<TrainInputs> CheckTrain(const TrainFlags& flags, Pipes pipes) {
  Result<ModelDefinition> definition = FindModel(flags.model);
  if (!definition.ok()) return definition.status().WithContext("--model");
  const bool is_left = pipes == Pipes::kLeave && IsReadOnce(flags.bits);
  Result<BitAssignment> assignment =
      is_left ? BitAssignment{} : ParseBitSpec(flags.bits, definition->topology);
  if (!assignment.ok()) return assignment.status();
  std::optional<FoundTeacher> teacher;
  if (!flags.teacher.empty()) {
    Result<FoundTeacher> found = FindTeacher(flags.teacher);
    if (!found.ok()) return found.status();
    teacher = std::move(*found);
  }
  BITPILOT_RETURN_IF_ERROR(CheckOutput(
      "--output", flags.output,
      {flags.weights, flags.data, flags.bits, teacher ? teacher->weights : std::string()}));
  if (const Status status = CheckNothingIsReplaced(flags); !status.ok()) {
    // A training that runs has a checkpoint, too, which nobody shall go on from or remove.
    const Status lock = FileLock::Acquire(flags.output).status();
    return lock.code() == StatusCode::kUnavailable ? lock.WithContext("--output") : status;
  }
  Result<std::string> weights = flags.weights;
  if (flags.weights.empty()) weights = ShippedWeightsFile(flags.model);
  if (!weights.ok()) return weights.status();
  BITPILOT_RETURN_IF_ERROR(CheckCanBeReadAgain(*weights).WithContext("--weights"));
  if (flags.data != "sample") {
    BITPILOT_RETURN_IF_ERROR(CheckIsThere(flags.data).WithContext("--data"));
  }
  if (teacher) {
    BITPILOT_RETURN_IF_ERROR(CheckIsThere(teacher->weights).WithContext("--teacher"));
  }
  return TrainInputs{std::move(*definition), std::move(*assignment), std::move(*weights),
                     std::move(teacher)};
}

}  // namespace bitpilot

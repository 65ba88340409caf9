// bitpilot evaluate: accuracy of a network, float or at given widths; and its latency on a board.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/context_json.h"
#include "agent/cli/evaluate_flags.h"
#include "agent/cli/evaluate_output.h"
#include "agent/cli/evaluate_versus.h"
#include "agent/cli/search_display.h"
#include "agent/device/board_choice.h"
#include "agent/model/bit_spec.h"
#include "agent/model/image_dataset.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/quantized_model.h"
#include "agent/results/accuracy_statistics.h"
#include "agent/results/board_comparison.h"
#include "agent/results/board_versus.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// One file is evaluated whole; of a folder or the sample the test range is.
Result<ImageDataset> LoadEvaluationData(const std::string& source) {
  std::error_code error;
  if (source != "sample" && !std::filesystem::is_directory(source, error)) {
    return ReadCifar10File(source);
  }
  Result<DataSplits> splits = LoadDataSplits(source);
  if (!splits.ok()) return splits.status();
  return std::move(splits->test);
}

Status Quantize(QuantizedModel& model, const EvaluateFlags& flags,
                const BitAssignment& assignment) {
  BITPILOT_RETURN_IF_ERROR(model.SetAssignment(assignment));
  // Weights that bitpilot trained bring batch norm for the widths that they were saved at.
  if (model.is_estimated() && flags.calibration.empty()) return Status();
  const Result<DataSplits> splits =
      LoadDataSplits(flags.calibration.empty() ? "sample" : flags.calibration);
  if (!splits.ok()) return splits.status().WithContext("--calibration");
  // Step sizes that training learned stay; what it did not learn is chosen on these images.
  if (model.was_loaded_trained()) return model.ReestimateBatchNorm(splits->train);
  model.Calibrate(splits->train);
  return Status();
}

// Standard output has one line, the result, also with --json: files of it are read again.
void ShowNotice(const std::string& text) { SearchDisplay(/*json=*/false).OnNotice(text); }

// The board, as the user named it.
std::string DeviceName(const EvaluateFlags& flags, const Board& board) {
  return flags.board.fleet.empty() ? flags.board.device : board.listed_name();
}

// Latency on the board, interleaved with uniform 8 bit of the same weights.
Status MeasureOn(Board& board, const Network& network, QuantizedModel& model,
                 const EvaluateFlags& flags, Json& line) {
  BITPILOT_RETURN_IF_ERROR(
      Quantize(model, flags, UniformAssignment(model.definition().topology, 8, 8)));
  const Network uniform8 = model.Export();
  MeasureJob job;
  job.networks = {&network, &uniform8};
  job.tier = Tier::kAudit;
  job.energy = flags.energy;
  const Result<BoardComparison> comparison = CompareOnBoard(board, job, ShowNotice);
  if (!comparison.ok()) return comparison.status();
  AddBoardComparison(DeviceName(flags, board), board.info(), *comparison, line);
  return Status();
}

Json Describe(const EvaluateFlags& flags, const ImageDataset& data, const Evaluation& evaluation,
              const std::string& arithmetic) {
  std::int64_t correct = 0;
  for (std::size_t i = 0; i < data.size(); ++i)
    correct += evaluation.predictions[i] == data.labels[i];
  const Interval wilson = WilsonInterval(correct, static_cast<std::int64_t>(data.size()));
  return {
      {"type", "result"},           {"model", flags.model},
      {"data", flags.data},         {"bits", flags.bits.empty() ? Json(nullptr) : Json(flags.bits)},
      {"arithmetic", arithmetic},   {"images", data.size()},
      {"correct", correct},         {"accuracy", evaluation.accuracy},
      {"accuracy_low", wilson.low}, {"accuracy_high", wilson.high},
      {"loss", evaluation.loss},    {"loss_error", evaluation.loss_error}};
}

// The integer network's answers: the board's where there is one, else this host's.
Result<Evaluation> RunInteger(const ImageDataset& data, const Network& network, Board* board) {
  if (board == nullptr) return EvaluateInteger(network, data);
  return EvaluateInteger(network, data, [&](std::span<const std::uint8_t> pixels) {
    return board->Infer(network, pixels);
  });
}

std::string ArithmeticOf(const EvaluateFlags& flags) {
  if (!flags.integer) return "fake-quantized";
  return flags.has_board() ? "integer, on the board" : "integer";
}

// B of --versus, with its accuracy in the arithmetic of A's. A network file has only integer
// arithmetic: beside the other one its accuracy is left out.
Result<VersusOther> PrepareVersus(const EvaluateFlags& flags, const EvaluateInputs& inputs,
                                  const ImageDataset& data, QuantizedModel& model, Board* board) {
  VersusOther other;
  if (inputs.versus_network) {
    other.network = *inputs.versus_network;
  } else {
    BITPILOT_RETURN_IF_ERROR(Quantize(model, flags, *inputs.versus_assignment));
    other.network = model.Export();
  }
  if (flags.integer) {
    Result<Evaluation> evaluation = RunInteger(data, other.network, board);
    if (!evaluation.ok()) return evaluation.status().WithContext("--versus " + flags.versus);
    other.evaluation = std::move(*evaluation);
  } else if (!inputs.versus_network) {
    other.evaluation = model.Evaluate(data);
  }
  return other;
}

Status StoppedBeforeMeasuring() {
  return Status(StatusCode::kAborted, "stopped before the latency was measured");
}

// The result's line, and the exit code for it.
struct EvaluateEnd {
  Json line;
  int exit_code = kExitDone;
};

Result<EvaluateEnd> Evaluate(const EvaluateFlags& flags) {
  const Result<EvaluateInputs> inputs = CheckEvaluate(flags, Pipes::kRead);
  if (!inputs.ok()) return inputs.status();
  const ModelDefinition& definition = inputs->definition;
  const std::optional<BitAssignment>& assignment = inputs->assignment;
  // Before the images: its meter program, say, may not start.
  std::unique_ptr<Board> board;
  if (flags.has_board()) {
    BoardOptions options;
    options.stop = StopRequested;
    options.notice = ShowNotice;
    options.meter = flags.meter;
    Result<std::unique_ptr<Board>> started = OpenChosenBoard(flags.board, options);
    if (!started.ok()) return started.status();
    board = std::move(*started);
    // Now, and not when images, weights and both networks have taken their time.
    if (!flags.versus.empty()) BITPILOT_RETURN_IF_ERROR(CheckMeasures(*board));
  }
  const Result<ImageDataset> data = LoadEvaluationData(flags.data);
  if (!data.ok()) return data.status().WithContext("--data");
  Result<QuantizedModel> model =
      QuantizedModel::Create(definition, inputs->weights, /*seed=*/1, ShowNotice);
  if (!model.ok()) return model.status();
  if (!assignment) {
    return EvaluateEnd{Describe(flags, *data, model->EvaluateFloat(*data), "float32")};
  }

  BITPILOT_RETURN_IF_ERROR(Quantize(*model, flags, *assignment));
  const Network network = model->Export();
  if (!flags.export_file.empty())
    BITPILOT_RETURN_IF_ERROR(WriteNetworkFile(flags.export_file, network));
  const Result<Evaluation> evaluation =
      flags.integer ? RunInteger(*data, network, board.get()) : model->Evaluate(*data);
  if (!evaluation.ok()) return evaluation.status();
  EvaluateEnd end{Describe(flags, *data, *evaluation, ArithmeticOf(flags))};
  Json& line = end.line;
  line["weight_bytes"] = WeightBytes(definition.topology, *assignment);
  line["assignment"] = AssignmentToJson(definition.topology, *assignment);
  if (StopRequested()) return StoppedBeforeMeasuring();
  if (!flags.versus.empty()) {
    const Result<VersusOther> other = PrepareVersus(flags, *inputs, *data, *model, board.get());
    if (!other.ok()) return other.status();
    if (StopRequested()) return StoppedBeforeMeasuring();
    AddOther(*other, *evaluation, *data, flags.versus, line);
    const Result<int> exit_code = AddVersus(*board, DeviceName(flags, *board), flags, network,
                                            other->network, ShowNotice, line);
    if (!exit_code.ok()) return exit_code.status();
    end.exit_code = *exit_code;
    return end;
  }
  if (board) BITPILOT_RETURN_IF_ERROR(MeasureOn(*board, network, *model, flags, line));
  if (!flags.compare.empty()) {
    BITPILOT_RETURN_IF_ERROR(CompareWithEarlier(flags.compare, inputs->earlier, line));
  }
  return end;
}

int RunEvaluateCommand(const EvaluateFlags& flags) {
  // A board is given back; without one there is nothing to save.
  if (flags.has_board()) StopOnSignals();
  const Result<EvaluateEnd> end = Evaluate(flags);
  if (!end.ok()) return Fail(end.status(), flags.json);
  if (flags.json) {
    PrintJson(end->line);
  } else if (flags.versus.empty()) {
    PrintEvaluation(end->line);
  }
  return end->exit_code;
}

}  // namespace

void AddEvaluateCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<EvaluateFlags>();
  AddEvaluateFlags(app, *flags)->callback([flags, &exit_code] {
    exit_code = RunEvaluateCommand(*flags);
  });
}

}  // namespace bitpilot

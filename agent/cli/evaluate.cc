// bitpilot evaluate: accuracy of a network, float or at given widths; and its latency on a board.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/context_json.h"
#include "agent/cli/evaluate_output.h"
#include "agent/cli/search_display.h"
#include "agent/device/board_choice.h"
#include "agent/model/bit_spec.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/model/sample_data.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/quantized_model.h"
#include "agent/results/accuracy_statistics.h"
#include "agent/results/board_comparison.h"
#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

struct EvaluateFlags {
  std::string model;
  std::string weights;
  std::string data = "sample";
  std::string bits;
  std::string calibration;
  BoardChoice board;  // neither device nor fleet: no board
  bool has_board() const { return !board.device.empty() || !board.fleet.empty(); }
  std::string meter;
  std::string export_file;
  std::string compare;
  bool energy = false;
  bool integer = false;
  bool json = false;
};

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
  AddBoardComparison(flags.board.fleet.empty() ? flags.board.device : board.info().name,
                     board.info(), *comparison, line);
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
Result<Json> RunInteger(const EvaluateFlags& flags, const ImageDataset& data,
                        const Network& network, Board* board) {
  const auto infer = [&](std::span<const std::uint8_t> pixels) {
    return board->Infer(network, pixels);
  };
  const Result<Evaluation> evaluation =
      board ? EvaluateInteger(network, data, infer) : EvaluateInteger(network, data);
  if (!evaluation.ok()) return evaluation.status();
  return Describe(flags, data, *evaluation, board ? "integer, on the board" : "integer");
}

Result<Json> Evaluate(const EvaluateFlags& flags) {
  if (!flags.has_board() && (flags.energy || !flags.meter.empty())) {
    return InvalidArgument("--energy and --meter need --device: energy is measured on a board");
  }
  if (!flags.has_board() && !flags.compare.empty()) {
    return InvalidArgument("--compare needs --device: latencies are compared");
  }
  if (!flags.has_board() &&
      (flags.board.fast || !flags.board.cpu.empty() || !flags.board.board.empty())) {
    return InvalidArgument("--fast and --cpu need --device, and --board needs --fleet");
  }
  if (flags.bits.empty() && !flags.calibration.empty()) {
    return InvalidArgument("--calibration needs --bits: the float network is not calibrated");
  }
  if (flags.bits.empty() && (flags.integer || flags.has_board() || !flags.export_file.empty())) {
    return InvalidArgument(
        "--integer, --device, --fleet and --export need --bits: the float network has no integer "
        "form");
  }
  const Result<ModelDefinition> definition = FindModel(flags.model);
  if (!definition.ok()) return definition.status().WithContext("--model");
  std::optional<BitAssignment> assignment;
  if (!flags.bits.empty()) {
    Result<BitAssignment> parsed = ParseBitSpec(flags.bits, definition->topology);
    if (!parsed.ok()) return parsed.status();
    assignment = std::move(*parsed);
  }
  if (flags.has_board()) BITPILOT_RETURN_IF_ERROR(CheckBoardChoice(flags.board).status());
  if (!flags.export_file.empty()) {
    BITPILOT_RETURN_IF_ERROR(CheckOutput("--export", flags.export_file,
                                         {flags.weights, flags.data, flags.bits, flags.compare,
                                          flags.calibration, flags.board.fleet}));
  }
  Json earlier;
  if (!flags.compare.empty()) {
    Result<Json> read = ReadEarlierEvaluation(flags.compare);
    if (!read.ok()) return read;
    earlier = std::move(*read);
  }
  Result<std::string> weights = flags.weights;
  if (flags.weights.empty()) weights = ShippedWeightsFile(flags.model);
  if (!weights.ok()) return weights.status();
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
  }
  const Result<ImageDataset> data = LoadEvaluationData(flags.data);
  if (!data.ok()) return data.status().WithContext("--data");
  Result<QuantizedModel> model =
      QuantizedModel::Create(*definition, *weights, /*seed=*/1, ShowNotice);
  if (!model.ok()) return model.status();
  if (!assignment) return Describe(flags, *data, model->EvaluateFloat(*data), "float32");

  BITPILOT_RETURN_IF_ERROR(Quantize(*model, flags, *assignment));
  const Network network = model->Export();
  if (!flags.export_file.empty())
    BITPILOT_RETURN_IF_ERROR(WriteNetworkFile(flags.export_file, network));
  Result<Json> line = flags.integer
                          ? RunInteger(flags, *data, network, board.get())
                          : Describe(flags, *data, model->Evaluate(*data), "fake-quantized");
  if (!line.ok()) return line;
  (*line)["weight_bytes"] = WeightBytes(definition->topology, *assignment);
  (*line)["assignment"] = AssignmentToJson(definition->topology, *assignment);
  if (StopRequested())
    return Status(StatusCode::kAborted, "stopped before the latency was measured");
  if (board) BITPILOT_RETURN_IF_ERROR(MeasureOn(*board, network, *model, flags, *line));
  if (!flags.compare.empty()) {
    BITPILOT_RETURN_IF_ERROR(CompareWithEarlier(flags.compare, earlier, *line));
  }
  return line;
}

int RunEvaluateCommand(const EvaluateFlags& flags) {
  // A board is given back; without one there is nothing to save.
  if (flags.has_board()) StopOnSignals();
  const Result<Json> line = Evaluate(flags);
  if (!line.ok()) return Fail(line.status(), flags.json);
  if (flags.json) {
    PrintJson(*line);
  } else {
    PrintEvaluation(*line);
  }
  return kExitDone;
}

}  // namespace

void AddEvaluateCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "evaluate", "Accuracy of a network, float or at given widths; its latency on a board");
  const auto flags = std::make_shared<EvaluateFlags>();
  command->add_option("--model", flags->model, "Network, e.g. resnet8")->required();
  command->add_option("--weights", flags->weights,
                      "Its weights (.safetensors), float or trained by bitpilot");
  command
      ->add_option("--data", flags->data,
                   "A CIFAR-10 binary file (.bin or .bin.xz), a folder, or \"sample\"")
      ->capture_default_str();
  command->add_option("--bits", flags->bits,
                      "Widths: w4a4 (8-bit ends) or a JSON file; float without it");
  command->add_option("--calibration", flags->calibration,
                      "Images that calibrate the widths: a folder or \"sample\" (the default, "
                      "unless the weights were saved at these widths)");
  command->add_flag(
      "--integer", flags->integer,
      "Use the integer network that boards run (with --device: on that board), not its "
      "float simulation");
  flags->board.device.clear();
  auto* device = command->add_option(
      "--device", flags->board.device,
      "Also measure its latency there: local, local:ISA or model:TABLE (a lut.json, a cost "
      "table, or a shipped board's name)");
  // An empty text, as of a shell variable that is not set, would otherwise mean no board.
  device->check([](const std::string& text) {
    return std::string(text.empty() ? "give local, local:ISA or model:TABLE" : "");
  });
  command->add_option("--fleet", flags->board.fleet, "The same on a board of this fleet.toml")
      ->excludes(device);
  command->add_option("--board", flags->board.board, "Which board of the fleet file");
  AddCpuFlag(*command, flags->board.cpu);
  command->add_flag("--fast", flags->board.fast,
                    "With model:TABLE: it answers at once, not in the time that it claims");
  command->add_flag("--energy", flags->energy,
                    "Also measure its energy there, if the board has a sensor or meter: half a "
                    "minute and more");
  command->add_option("--meter", flags->meter,
                      "Program that reads an external meter, e.g. \"meter-replay FILE\"");
  command->add_option(
      "--compare", flags->compare,
      "What an earlier `evaluate --device D --json` printed: says whether its latency "
      "was measured under the same fingerprint");
  command->add_option("--export", flags->export_file,
                      "Write the integer network (.bpnet), e.g. for bitpilotd run");
  AddJsonFlag(*command, flags->json);
  command->callback([flags, &exit_code] { exit_code = RunEvaluateCommand(*flags); });
}

}  // namespace bitpilot

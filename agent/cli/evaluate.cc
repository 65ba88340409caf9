// bitpilot evaluate: accuracy of a network, float or at given widths; and its latency on a board.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/context_json.h"
#include "agent/cli/energy_json.h"
#include "agent/device/board_choice.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/model/sample_data.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/quantized_model.h"
#include "agent/search/accuracy_statistics.h"
#include "agent/search/bit_spec.h"
#include "kernels/base/network_file.h"
#include "kernels/base/round_comparison.h"

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
  if (source != "sample" && !std::filesystem::is_directory(source)) return ReadCifar10File(source);
  Result<DataSplits> splits = LoadDataSplits(source);
  if (!splits.ok()) return splits.status();
  return std::move(splits->test);
}

Status Quantize(QuantizedModel& model, const EvaluateFlags& flags,
                const BitAssignment& assignment) {
  BITPILOT_RETURN_IF_ERROR(model.SetAssignment(assignment));
  // Weights that bitpilot trained bring their own step sizes; an explicit --calibration replaces
  // them.
  if (model.is_calibrated() && flags.calibration.empty()) return Status();
  const Result<DataSplits> splits =
      LoadDataSplits(flags.calibration.empty() ? "sample" : flags.calibration);
  if (!splits.ok()) return splits.status().WithContext("--calibration");
  model.Calibrate(splits->train);
  return Status();
}

// Of the first network, with its ratio to the last one.
void AddEnergyOf(const Measurement& measurement, Json& line) {
  const NetworkMeasurement& measured = measurement.networks.front();
  const NetworkMeasurement& uniform8 = measurement.networks.back();
  std::optional<MeasuredEnergy> energy;
  std::optional<EnergyRatio> ratio;
  if (measured.energy) energy = measured.energy->energy;
  if (energy && uniform8.energy) ratio = GrossRatio(*energy, uniform8.energy->energy);
  AddEnergy(energy, ratio, measured.no_energy_reason, line);
  std::optional<double> model_ratio;
  if (measured.model_energy && uniform8.model_energy) {
    model_ratio = *measured.model_energy / *uniform8.model_energy;
  }
  std::optional<ModelEnergy> claimed;
  if (measured.model_energy) {
    claimed = ModelEnergy{*measured.model_energy, measured.model_energy_unit,
                          measured.model_energy_error};
  }
  line["model_energy"] = ModelEnergyJson(claimed, model_ratio, measurement.source);
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
  const Result<Measurement> measurement = board.Measure(job);
  if (!measurement.ok()) return measurement.status();
  if (!HasNumbers(measurement->status)) {
    return Status(StatusCode::kUnavailable, board.info().name + ": " +
                                                std::string(ToString(measurement->status)) + " " +
                                                measurement->detail);
  }
  const NetworkMeasurement& measured = measurement->networks.front();
  const NetworkMeasurement& uniform = measurement->networks.back();
  const RoundComparison comparison =
      CompareRounds(TimesToCompare(measured.window_ns, measured.window_cpu_ns),
                    TimesToCompare(uniform.window_ns, uniform.window_cpu_ns));
  const MedianInterval& ratio = comparison.ratio;
  line["device"] = flags.board.fleet.empty() ? flags.board.device : board.info().name;
  // A model's kernels only check the outputs.
  line["isa"] = board.info().is_model() ? Json(nullptr) : Json(board.info().isa);
  line["source"] = measurement->source;
  line["latency_median_ns"] = measured.latency_median_ns;
  line["latency_low_ns"] = measured.latency_low_ns;
  line["latency_high_ns"] = measured.latency_high_ns;
  line["latency_ratio_int8"] = ratio.median;
  line["latency_ratio_int8_low"] = ratio.low;
  line["latency_ratio_int8_high"] = ratio.high;
  // A model's figures are no rounds: nothing was measured that could be significant.
  line["speed_int8"] = board.info().is_model() ? Json(nullptr) : Json(ToString(comparison.speed));
  line["kernels"] = measured.kernels;
  AddContext(board.info(), *measurement, line);
  AddEnergyOf(*measurement, line);
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
      {"loss", evaluation.loss}};
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

void PrintEnergyForPeople(const Json& line) {
  if (!line["energy_uj"].is_null()) {
    std::printf("energy of an inference, %s (%s): %.2f +- %.2f uJ gross",
                line["energy_source"].get<std::string>().c_str(),
                line["energy_tier"].get<std::string>().c_str(), line["energy_uj"].get<double>(),
                line["energy_uncertainty_uj"].get<double>());
    if (!line["energy_net_uj"].is_null()) {
      std::printf(", %.2f +- %.2f uJ net of idle", line["energy_net_uj"].get<double>(),
                  line["energy_net_uncertainty_uj"].get<double>());
    }
    if (!line["energy_ratio_int8"].is_null()) {
      std::printf("; gross %.3fx of uniform 8 bit (+- %.3f)",
                  line["energy_ratio_int8"].get<double>(),
                  line["energy_ratio_int8_uncertainty"].get<double>());
    }
    std::printf("\n");
  } else if (!line["no_energy_reason"].is_null()) {
    std::printf("no energy was measured: %s\n",
                line["no_energy_reason"].get<std::string>().c_str());
  }
  if (const Json& model = line["model_energy"]; !model.is_null()) {
    std::printf("the model %s claims %.4g %s an inference; nothing was measured\n",
                model["table"].get<std::string>().c_str(), model["value"].get<double>(),
                model["unit"].get<std::string>().c_str());
  }
}

void PrintComparedWith(const Json& earlier) {
  std::printf("earlier, in %s: %.2f us, %.3fx of uniform 8 bit, ",
              earlier["file"].get<std::string>().c_str(),
              earlier["latency_median_ns"].get<double>() / 1e3,
              earlier["latency_ratio_int8"].get<double>());
  if (earlier["same_fingerprint"].get<bool>()) {
    std::printf("of the same fingerprint; which is faster, only interleaved rounds can say\n");
  } else {
    std::printf("of fingerprint %s: %s; the latencies cannot be compared\n",
                earlier["fingerprint"].get<std::string>().c_str(),
                earlier["changes"].get<std::string>().c_str());
  }
}

void PrintContextForPeople(const Json& line) {
  if (const Json& speed = line["speed_int8"]; !speed.is_null()) {
    const std::string word = speed.get<std::string>();
    std::printf("%s uniform 8 bit, by the interleaved rounds; ",
                word == "no difference" ? "no difference to" : (word + " than").c_str());
  }
  std::printf("fingerprint %s\n", line["fingerprint"].get<std::string>().c_str());
  if (const auto detail = line["measure_detail"].get<std::string>(); !detail.empty()) {
    std::printf("%s: %s\n", line["measure_status"].get<std::string>().c_str(), detail.c_str());
  }
  for (const Json& note : line["conditions"]["notes"]) {
    std::printf("note: %s\n", note.get<std::string>().c_str());
  }
  if (line.contains("compared_with")) PrintComparedWith(line["compared_with"]);
}

void PrintForPeople(const Json& line) {
  std::printf("%s, %s arithmetic%s: %lld of %lld right, accuracy %.4f (%.4f..%.4f), loss %.4f\n",
              line["model"].get<std::string>().c_str(),
              line["arithmetic"].get<std::string>().c_str(),
              line["bits"].is_null() ? "" : (" at " + line["bits"].get<std::string>()).c_str(),
              line["correct"].get<long long>(), line["images"].get<long long>(),
              line["accuracy"].get<double>(), line["accuracy_low"].get<double>(),
              line["accuracy_high"].get<double>(), line["loss"].get<double>());
  if (line.contains("weight_bytes"))
    std::printf("packed weights: %lld bytes\n", line["weight_bytes"].get<long long>());
  if (!line.contains("latency_median_ns")) return;
  const std::string isa = line["isa"].is_null() ? "" : " (" + line["isa"].get<std::string>() + ")";
  std::printf("%s latency on %s%s: %.2f us (%.2f..%.2f), %.3fx of uniform 8 bit (%.3f..%.3f)\n",
              line["source"].get<std::string>().c_str(), line["device"].get<std::string>().c_str(),
              isa.c_str(), line["latency_median_ns"].get<double>() / 1e3,
              line["latency_low_ns"].get<double>() / 1e3,
              line["latency_high_ns"].get<double>() / 1e3, line["latency_ratio_int8"].get<double>(),
              line["latency_ratio_int8_low"].get<double>(),
              line["latency_ratio_int8_high"].get<double>());
  PrintContextForPeople(line);
  PrintEnergyForPeople(line);
}

Result<Json> Evaluate(const EvaluateFlags& flags) {
  if (!flags.has_board() && (flags.energy || !flags.meter.empty())) {
    return InvalidArgument("--energy and --meter need --device: energy is measured on a board");
  }
  if (!flags.has_board() && !flags.compare.empty()) {
    return InvalidArgument("--compare needs --device: latencies are compared");
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
  Result<std::string> weights = flags.weights;
  if (flags.weights.empty()) weights = ShippedWeightsFile(flags.model);
  if (!weights.ok()) return weights.status();
  const Result<ImageDataset> data = LoadEvaluationData(flags.data);
  if (!data.ok()) return data.status().WithContext("--data");
  Result<QuantizedModel> model = QuantizedModel::Create(*definition, *weights, /*seed=*/1);
  if (!model.ok()) return model.status();
  if (!assignment) return Describe(flags, *data, model->EvaluateFloat(*data), "float32");

  BITPILOT_RETURN_IF_ERROR(Quantize(*model, flags, *assignment));
  const Network network = model->Export();
  if (!flags.export_file.empty())
    BITPILOT_RETURN_IF_ERROR(WriteNetworkFile(flags.export_file, network));
  std::unique_ptr<Board> board;
  if (flags.has_board()) {
    BoardOptions options;
    options.stop = StopRequested;
    options.meter = flags.meter;
    Result<std::unique_ptr<Board>> started = OpenChosenBoard(flags.board, options);
    if (!started.ok()) return started.status();
    board = std::move(*started);
  }
  Result<Json> line = flags.integer
                          ? RunInteger(flags, *data, network, board.get())
                          : Describe(flags, *data, model->Evaluate(*data), "fake-quantized");
  if (!line.ok()) return line;
  (*line)["weight_bytes"] = WeightBytes(definition->topology, *assignment);
  (*line)["assignment"] = AssignmentToJson(definition->topology, *assignment);
  if (board) BITPILOT_RETURN_IF_ERROR(MeasureOn(*board, network, *model, flags, *line));
  if (!flags.compare.empty()) BITPILOT_RETURN_IF_ERROR(CompareWithEarlier(flags.compare, *line));
  return line;
}

int RunEvaluateCommand(const EvaluateFlags& flags) {
  StopOnSignals();
  const Result<Json> line = Evaluate(flags);
  if (!line.ok()) return Fail(line.status(), flags.json);
  if (flags.json) {
    PrintJson(*line);
  } else {
    PrintForPeople(*line);
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
                      "unless the weights bring step sizes)");
  command->add_flag(
      "--integer", flags->integer,
      "Use the integer network that boards run (with --device: on that board), not its "
      "float simulation");
  flags->board.device.clear();
  auto* device = command->add_option(
      "--device", flags->board.device,
      "Also measure its latency there: local, local:ISA or model:TABLE (a lut.json, a cost "
      "table, or a shipped board's name)");
  command->add_option("--fleet", flags->board.fleet, "The same on a board of this fleet.toml")
      ->excludes(device);
  command->add_option("--board", flags->board.board, "Which board of the fleet file");
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

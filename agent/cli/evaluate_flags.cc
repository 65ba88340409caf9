#include "agent/cli/evaluate_flags.h"

#include <utility>

#include "agent/cli/context_json.h"
#include "agent/model/bit_spec.h"
#include "agent/model/sample_data.h"
#include "kernels/base/file_io.h"
#include "kernels/base/network_file.h"
#include "kernels/versus/versus.h"

namespace bitpilot {

CLI::App* AddEvaluateFlags(CLI::App& app, EvaluateFlags& flags) {
  CLI::App* command = app.add_subcommand(
      "evaluate", "Accuracy of a network, float or at given widths; its latency on a board");
  command->add_option("--model", flags.model, "Network, e.g. resnet8")->required();
  command->add_option("--weights", flags.weights,
                      "Its weights (.safetensors), float or trained by bitpilot");
  command
      ->add_option("--data", flags.data,
                   "A CIFAR-10 binary file (.bin or .bin.xz), a folder, or \"sample\"")
      ->capture_default_str();
  command->add_option("--bits", flags.bits,
                      "Widths: w4a4 (8-bit ends) or a JSON file; float without it");
  command->add_option("--calibration", flags.calibration,
                      "Images that calibrate the widths: a folder or \"sample\" (the default, "
                      "unless the weights were saved at these widths)");
  command->add_flag(
      "--integer", flags.integer,
      "Use the integer network that boards run (with --device: on that board), not its "
      "float simulation");
  flags.board.device.clear();
  auto* device = command->add_option(
      "--device", flags.board.device,
      "Also measure its latency there: local, local:ISA or model:TABLE (a lut.json, a cost "
      "table, or a shipped board's name)");
  // An empty text, as of a shell variable that is not set, would otherwise mean no board.
  device->check([](const std::string& text) {
    return std::string(text.empty() ? "give local, local:ISA or model:TABLE" : "");
  });
  command->add_option("--fleet", flags.board.fleet, "The same on a board of this fleet.toml")
      ->excludes(device);
  command->add_option("--board", flags.board.board, "Which board of the fleet file");
  AddLeaseFlags(*command, flags.board.lease);
  AddCpuFlag(*command, flags.board.cpu);
  command->add_flag("--fast", flags.board.fast,
                    "With model:TABLE: it answers at once, not in the time that it claims");
  command->add_flag("--energy", flags.energy,
                    "Also measure its energy there, if the board has a sensor or meter: half a "
                    "minute and more");
  command->add_option("--meter", flags.meter,
                      "Program that reads an external meter, e.g. \"meter-replay FILE\"");
  command->add_option(
      "--compare", flags.compare,
      "What an earlier `evaluate --device D --json` printed: says whether its latency "
      "was measured under the same fingerprint");
  CLI::Option* versus = command->add_option(
      "--versus", flags.versus,
      "Which of two is faster on that board: --bits or this, widths of the same network (w8a8 or a "
      "JSON file) or a network file (.bpnet) of the same task. Interleaved rounds; two copies of "
      "--bits are compared before that, alike. Half a minute or more; with --energy several. Exit "
      "code 3: "
      "--bits is slower; 4: no verdict, as the two copies were told apart");
  command
      ->add_flag("--audit", flags.audit,
                 "Of --versus: windows four times as long, for figures that are published")
      ->needs(versus);
  command->add_option("--export", flags.export_file,
                      "Write the integer network (.bpnet), e.g. for bitpilotd run");
  AddJsonFlag(*command, flags.json);
  return command;
}

namespace {

// What contradicts --versus.
Status CheckVersusFlags(const EvaluateFlags& flags) {
  if (flags.versus.empty()) return {};
  if (flags.bits.empty() || !flags.has_board()) {
    return InvalidArgument(
        "--versus needs --bits and --device, or --fleet: two integer networks are compared on a "
        "board");
  }
  if (!flags.compare.empty()) {
    return InvalidArgument(
        "--versus and --compare: what an earlier run measured was not interleaved with this one; "
        "leave one of them out");
  }
  if (flags.board.fleet.empty() && flags.board.device.starts_with("model:")) {
    return InvalidArgument("--versus needs a board that measures: --device " + flags.board.device +
                           " answers from a table, in which nothing is measured");
  }
  return {};
}

// What --versus names: widths of `definition`, or a network file.
Status ReadVersus(const EvaluateFlags& flags, const ModelDefinition& definition,
                  EvaluateInputs& inputs) {
  if (!flags.versus.ends_with(".bpnet")) {
    Result<BitAssignment> parsed = ParseBitSpec(flags.versus, definition.topology, "--versus");
    if (!parsed.ok()) return parsed.status();
    inputs.versus_assignment = std::move(*parsed);
    return {};
  }
  Result<Network> network = ReadNetworkFile(flags.versus);
  if (!network.ok()) return network.status().AsCorruptInput().WithContext("--versus");
  inputs.versus_network = std::move(*network);
  return CheckOneTask(definition.topology, inputs.versus_network->topology)
      .WithContext("--versus " + flags.versus);
}

}  // namespace

Result<EvaluateInputs> CheckEvaluate(const EvaluateFlags& flags, Pipes pipes) {
  const auto is_left = [pipes](const std::string& path) {
    return pipes == Pipes::kLeave && IsReadOnce(path);
  };
  if (!flags.has_board() && (flags.energy || !flags.meter.empty())) {
    return InvalidArgument("--energy and --meter need --device: energy is measured on a board");
  }
  if (!flags.has_board() && !flags.compare.empty()) {
    return InvalidArgument("--compare needs --device: latencies are compared");
  }
  if (!flags.has_board() && (flags.board.fast || !flags.board.cpu.empty() ||
                             !flags.board.board.empty() || flags.board.lease)) {
    return InvalidArgument(
        "--fast and --cpu need --device, and --board, --lease and --priority need --fleet");
  }
  BITPILOT_RETURN_IF_ERROR(CheckVersusFlags(flags));
  if (flags.bits.empty() && !flags.calibration.empty()) {
    return InvalidArgument("--calibration needs --bits: the float network is not calibrated");
  }
  if (flags.bits.empty() && (flags.integer || flags.has_board() || !flags.export_file.empty())) {
    return InvalidArgument(
        "--integer, --device, --fleet and --export need --bits: the float network has no integer "
        "form");
  }
  Result<ModelDefinition> definition = FindModel(flags.model);
  if (!definition.ok()) return definition.status().WithContext("--model");
  std::optional<BitAssignment> assignment;
  if (!flags.bits.empty() && !is_left(flags.bits)) {
    Result<BitAssignment> parsed = ParseBitSpec(flags.bits, definition->topology);
    if (!parsed.ok()) return parsed.status();
    assignment = std::move(*parsed);
  }
  EvaluateInputs inputs;
  if (!flags.versus.empty() && !is_left(flags.versus)) {
    BITPILOT_RETURN_IF_ERROR(ReadVersus(flags, *definition, inputs));
  }
  if (flags.has_board()) BITPILOT_RETURN_IF_ERROR(CheckBoardChoice(flags.board).status());
  if (!flags.export_file.empty()) {
    BITPILOT_RETURN_IF_ERROR(CheckOutput("--export", flags.export_file,
                                         {flags.weights, flags.data, flags.bits, flags.versus,
                                          flags.compare, flags.calibration, flags.board.fleet}));
  }
  nlohmann::json earlier;
  if (!flags.compare.empty() && !is_left(flags.compare)) {
    Result<nlohmann::json> read = ReadEarlierEvaluation(flags.compare);
    if (!read.ok()) return read.status();
    earlier = std::move(*read);
  }
  Result<std::string> weights = flags.weights;
  if (flags.weights.empty()) weights = ShippedWeightsFile(flags.model);
  if (!weights.ok()) return weights.status();
  BITPILOT_RETURN_IF_ERROR(CheckCanBeReadAgain(*weights).WithContext("--weights"));
  if (flags.data != "sample") {
    BITPILOT_RETURN_IF_ERROR(CheckIsThere(flags.data).WithContext("--data"));
  }
  if (!flags.calibration.empty() && flags.calibration != "sample") {
    BITPILOT_RETURN_IF_ERROR(CheckIsThere(flags.calibration).WithContext("--calibration"));
  }
  inputs.definition = std::move(*definition);
  inputs.assignment = std::move(assignment);
  inputs.earlier = std::move(earlier);
  inputs.weights = std::move(*weights);
  return inputs;
}

}  // namespace bitpilot

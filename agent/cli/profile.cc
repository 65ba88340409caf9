// bitpilot profile: the board's own table of every layer at every pair of widths.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/search_display.h"
#include "agent/device/board_choice.h"
#include "agent/profile/build_lut.h"
#include "agent/profile/lut_export.h"
#include "agent/profile/measure_profile.h"
#include "agent/session/cpu_class.h"
#include "kernels/base/quoted.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/text_file.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

struct ProfileFlags {
  ProfileSettings settings;
  BoardChoice board;
  std::string bits = "2..8";
  std::string name;
  std::string from;
  std::vector<std::string> exports;
  bool json = false;
};

// Nothing is measured before it is clear that its result can be written.
Status CheckExports(const std::vector<std::string>& exports) {
  for (const std::string& path : exports) {
    BITPILOT_RETURN_IF_ERROR(CheckExportPath(path));
    BITPILOT_RETURN_IF_ERROR(CheckOutput("--export", path, {}));
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      return InvalidArgument("--export " + path + " exists: remove it or name another file");
    }
  }
  return Status();
}

Result<Lut> MeasureOnBoard(const ProfileFlags& flags, const Topology& topology,
                           SearchDisplay& display) {
  const ProfilePlan plan = MakeProfilePlan(topology, flags.settings);
  BoardOptions board_options;
  board_options.stop = StopRequested;
  board_options.notice = [&display](const std::string& text) { display.OnNotice(text); };
  const Result<std::unique_ptr<Board>> board = OpenChosenBoard(flags.board, board_options);
  if (!board.ok()) return board.status();
  const BoardInfo& info = (*board)->info();
  if (flags.board.fleet.empty() || info.shares_agent_host) LeaveToTheBoard(info.cpu, 1);
  ProfileOptions options;
  options.unfinished_path = flags.exports.front() + ".unfinished";
  options.stop = StopRequested;
  bool announced = false;
  options.progress = [&](int done, int total, const std::string& note) {
    if (!announced) display.OnPhase("measuring networks beside uniform 8 bit", total);
    announced = true;
    display.OnProgress(done, note);
  };
  const Result<ProfileData> data = MeasureProfile(topology, flags.settings, plan, **board, options);
  if (!data.ok()) {
    if (data.status().code() != StatusCode::kAborted) return data.status();
    std::error_code error;
    if (!std::filesystem::exists(options.unfinished_path, error)) {
      return Status(StatusCode::kAborted, "stopped; nothing was measured yet");
    }
    return Status(StatusCode::kAborted, "stopped; what was measured is in " +
                                            options.unfinished_path +
                                            ", and the same command goes on from there");
  }
  return BuildLut(topology, plan, *data);
}

void PrintForPeople(const Lut& lut, const std::vector<std::string>& exports) {
  std::printf(
      "%s: %zu entries from %d networks beside uniform 8 bit, which takes %.2f us "
      "(%.2f..%.2f; %s)\n",
      lut.name.c_str(), lut.entries.size(), lut.networks, lut.reference_ns * 1e-3,
      lut.reference_low_ns * 1e-3, lut.reference_high_ns * 1e-3, lut.source.c_str());
  std::printf(
      "error of the predicted ratio to uniform 8 bit, %zu unseen networks: %.1f %% in the "
      "median, %.1f %% at worst\n",
      lut.checks.size(), 100.0 * lut.prediction_error_median(),
      100.0 * lut.prediction_error_worst());
  if (lut.disturbed > 0)
    std::printf("%d networks were in measurements that other work disturbed\n", lut.disturbed);
  for (const std::string& path : exports) std::printf("wrote %s\n", path.c_str());
}

Json ResultLine(const Lut& lut, const std::vector<std::string>& exports) {
  return {{"type", "result"},
          {"model", lut.model},
          {"name", lut.name},
          {"isa", lut.board.is_model() ? Json(nullptr) : Json(lut.board.isa)},
          {"source", lut.source},
          {"entries", lut.entries.size()},
          {"networks", lut.networks},
          {"disturbed", lut.disturbed},
          {"latency_int8_median_ns", lut.reference_ns},
          {"checks", lut.checks.size()},
          {"prediction_error_median", lut.prediction_error_median()},
          {"prediction_error_worst", lut.prediction_error_worst()},
          {"exports", exports}};
}

Result<Lut> ReadLut(const std::string& path) {
  const Result<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  Result<Lut> lut = ParseLut(*text);
  if (!lut.ok()) return lut.status().WithContext(path).OfContent();
  return lut;
}

Result<Lut> ProfileOrConvert(ProfileFlags& flags) {
  BITPILOT_RETURN_IF_ERROR(CheckExports(flags.exports));
  if (flags.from.empty() == flags.settings.model.empty())
    return InvalidArgument("give either --model, to profile a board, or --from lut.json");
  if (!IsUtf8(flags.name)) {
    return InvalidArgument("--name " + Quoted(flags.name) +
                           ": tables hold it, so it must be UTF-8");
  }
  SearchDisplay display(flags.json);
  Result<Lut> read = flags.from.empty() ? Result<Lut>(Lut{}) : ReadLut(flags.from);
  if (!read.ok()) return read;
  const std::string& model = flags.from.empty() ? flags.settings.model : read->model;
  const Result<Topology> topology = StandardTopology(model);
  if (!topology.ok()) return topology.status().WithContext("--model");
  Result<std::vector<int>> bits = ParseBitsList(flags.bits);
  if (!bits.ok()) return bits.status();
  flags.settings.bits = std::move(*bits);
  Result<Lut> lut = flags.from.empty() ? MeasureOnBoard(flags, *topology, display) : read;
  if (!lut.ok()) return lut;
  if (!flags.name.empty()) lut->name = flags.name;
  for (const std::string& path : flags.exports)
    BITPILOT_RETURN_IF_ERROR(ExportLut(*lut, *topology, path));
  std::error_code ignored;
  if (flags.from.empty()) std::filesystem::remove(flags.exports.front() + ".unfinished", ignored);
  return lut;
}

int RunProfileCommand(ProfileFlags& flags) {
  StopOnSignals();
  const Result<Lut> lut = ProfileOrConvert(flags);
  if (!lut.ok()) return Fail(lut.status(), flags.json);
  if (flags.json) {
    PrintJson(ResultLine(*lut, flags.exports));
  } else {
    PrintForPeople(*lut, flags.exports);
  }
  return kExitDone;
}

std::string StandardNames() {
  std::string names;
  for (const std::string& name : StandardNetworkNames())
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace

void AddProfileCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "profile", "The board's own table: every layer's time at every pair of widths");
  const auto flags = std::make_shared<ProfileFlags>();
  command->add_option(
      "--model", flags->settings.model,
      "Network, with random weights (times do not depend on them): " + StandardNames());
  auto* device = command->add_option("--device", flags->board.device,
                                     "local, local:ISA or model:TABLE (a lut.json, a cost "
                                     "table, or a shipped board's name)");
  device->capture_default_str();
  command->add_option("--fleet", flags->board.fleet, "fleet.toml with boards on the network")
      ->excludes(device);
  command->add_option("--board", flags->board.board, "Which board of the fleet file");
  AddCpuFlag(*command, flags->board.cpu);
  command->add_flag("--fast", flags->board.fast,
                    "With model:TABLE: it answers at once, not in the time that it claims");
  command
      ->add_option(
          "--export", flags->exports,
          "Where to, as often as you like: .json or .cost (--device model:FILE reads both), .csv, "
          ".npy (HAQ's table) or .free-bits.json (Free Bits')")
      ->required();
  command->add_option("--bits", flags->bits, "Widths of weights and activations: 2..8 or 2,4,8")
      ->capture_default_str();
  command->add_option("--name", flags->name,
                      "What the table is called: results from it say MODEL:NAME. Default: "
                      "NETWORK-ISA, or NETWORK-TABLE of a model board");
  command->add_flag("--quick", flags->settings.quick,
                    "Short measurements: within two minutes for resnet20");
  command->add_option("--from", flags->from,
                      "Measure nothing: write this lut.json in the forms that --export names");
  AddJsonFlag(*command, flags->json);
  command->callback([flags, &exit_code] { exit_code = RunProfileCommand(*flags); });
}

}  // namespace bitpilot

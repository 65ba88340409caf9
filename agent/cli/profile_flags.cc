#include "agent/cli/profile_flags.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "agent/profile/lut_export.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/file_io.h"
#include "kernels/base/joined.h"
#include "kernels/base/quoted.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/text_file.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

Result<Lut> ReadLut(const std::string& path) {
  const Result<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  Result<Lut> lut = ParseLut(*text);
  if (!lut.ok()) return lut.status().WithContext(path).AsCorruptInput();
  return lut;
}

}  // namespace

CLI::App* AddProfileFlags(CLI::App& app, ProfileFlags& flags) {
  CLI::App* command = app.add_subcommand(
      "profile", "The board's own table: every layer's time at every pair of widths");
  command->add_option("--model", flags.settings.model,
                      "Network, with random weights (times do not depend on them): " +
                          Joined(StandardNetworkNames()));
  auto* device = command->add_option("--device", flags.board.device,
                                     "local, local:ISA or model:TABLE (a lut.json, a cost "
                                     "table, or a shipped board's name)");
  device->capture_default_str();
  command->add_option("--fleet", flags.board.fleet, "fleet.toml with boards on the network")
      ->excludes(device);
  command->add_option("--board", flags.board.board, "Which board of the fleet file");
  AddLeaseFlags(*command, flags.board.lease);
  AddCpuFlag(*command, flags.board.cpu);
  command->add_flag("--fast", flags.board.fast,
                    "With model:TABLE: it answers at once, not in the time that it claims");
  command
      ->add_option(
          "--export", flags.exports,
          "Where to, as often as you like: .json or .cost (--device model:FILE reads both), .csv, "
          ".npy (HAQ's table) or .free-bits.json (Free Bits')")
      ->required();
  command->add_option("--bits", flags.bits, "Widths of weights and activations: 2..8 or 2,4,8")
      ->capture_default_str();
  command->add_option("--name", flags.name,
                      "What the table is called: results from it say MODEL:NAME. Default: "
                      "NETWORK-ISA, or NETWORK-TABLE of a model board");
  command->add_flag("--quick", flags.settings.quick,
                    "Short measurements: within two minutes for resnet20");
  command->add_option("--from", flags.from,
                      "Measure nothing: write this lut.json in the forms that --export names");
  AddJsonFlag(*command, flags.json);
  return command;
}

Status CheckExports(const ProfileFlags& flags) {
  for (const std::string& path : flags.exports) {
    BITPILOT_RETURN_IF_ERROR(CheckExportPath(path));
    BITPILOT_RETURN_IF_ERROR(CheckOutput("--export", path, {}));
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      return InvalidArgument("--export " + path + " exists: remove it or name another file");
    }
  }
  return Status();
}

Result<ProfileInputs> CheckProfile(const ProfileFlags& flags, Pipes pipes) {
  BITPILOT_RETURN_IF_ERROR(CheckExports(flags));
  if (flags.from.empty() == flags.settings.model.empty())
    return InvalidArgument("give either --model, to profile a board, or --from lut.json");
  if (!IsUtf8(flags.name)) {
    return InvalidArgument("--name " + Quoted(flags.name) +
                           ": tables hold it, so it must be UTF-8");
  }
  Result<std::vector<int>> bits = ParseBitsList(flags.bits);
  if (!bits.ok()) return bits.status();
  if (pipes == Pipes::kLeave && IsReadOnce(flags.from)) return ProfileInputs{};
  Result<Lut> read = flags.from.empty() ? Result<Lut>(Lut{}) : ReadLut(flags.from);
  if (!read.ok()) return read.status();
  Result<Topology> topology =
      StandardTopology(flags.from.empty() ? flags.settings.model : read->model);
  if (!topology.ok()) {
    if (!flags.from.empty()) return topology.status().WithContext(flags.from).AsCorruptInput();
    return topology.status().WithContext("--model");
  }
  if (flags.from.empty()) BITPILOT_RETURN_IF_ERROR(CheckBoardChoice(flags.board).status());
  return ProfileInputs{std::move(*topology), std::move(*bits), std::move(*read)};
}

}  // namespace bitpilot

#include "agent/cli/fleet_choice.h"

#include <algorithm>
#include <utility>

#include "agent/cli/command.h"
#include "agent/fleet/keys.h"
#include "kernels/base/joined.h"

namespace bitpilot {

void AddFleetFlags(CLI::App& command, FleetFlags& flags) {
  command.add_option("--fleet", flags.file, "The fleet file")->capture_default_str();
  AddJsonFlag(command, flags.json);
}

void AddTimeoutFlag(CLI::App& command, std::optional<double>& seconds) {
  command
      .add_option(
          "--timeout", seconds,
          "Seconds to wait for boards that do not answer; all are asked at once. Default: 3, "
          "and 45 for boards that connect to this agent")
      ->transform(NumberIn(0.1, 3600.0));
}

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

FleetWatch::Patience PatienceOf(const std::optional<double>& timeout_s) {
  if (!timeout_s) return {};
  return {Milliseconds(*timeout_s), Milliseconds(*timeout_s)};
}

Result<std::vector<BoardAddress>> ChooseBoards(const Fleet& fleet, const std::string& file,
                                               const std::vector<std::string>& names,
                                               const std::string& flag) {
  for (const std::string& name : names) {
    const bool is_listed =
        std::any_of(fleet.boards.begin(), fleet.boards.end(),
                    [&](const BoardAddress& board) { return board.name == name; });
    if (!is_listed) {
      return InvalidArgument(flag + ": " + file + " lists no board \"" + name +
                             "\", only: " + Joined(fleet.boards, &BoardAddress::name));
    }
  }
  std::vector<BoardAddress> chosen;
  for (const BoardAddress& board : fleet.boards) {
    if (names.empty() || std::find(names.begin(), names.end(), board.name) != names.end()) {
      chosen.push_back(board);
    }
  }
  return chosen;
}

Result<ChosenFleet> ReadChosenFleet(const FleetFlags& flags, const std::vector<std::string>& names,
                                    const std::string& flag) {
  const Result<Fleet> fleet = ReadFleetFile(flags.file);
  if (!fleet.ok()) return fleet.status();
  Result<std::vector<BoardAddress>> boards = ChooseBoards(*fleet, flags.file, names, flag);
  if (!boards.ok()) return boards.status();
  Result<AgentKeys> keys = ReadAgentKeys(fleet->keys_directory);
  if (!keys.ok()) return keys.status().AsCorruptInput();
  return ChosenFleet{std::move(*boards), std::move(*keys)};
}

}  // namespace bitpilot

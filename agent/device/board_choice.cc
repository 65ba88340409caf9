#include "agent/device/board_choice.h"

#include <utility>

#include "agent/device/local_board.h"
#include "agent/fleet/client_core.h"
#include "agent/fleet/fleet_file.h"
#include "agent/fleet/keys.h"
#include "kernels/base/file_io.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

// The board that --board names, or the file's only one.
Result<BoardAddress> ChooseBoard(const Fleet& fleet, const BoardChoice& choice) {
  if (choice.board.empty() && fleet.boards.size() == 1) return fleet.boards.front();
  for (const BoardAddress& board : fleet.boards) {
    if (board.name == choice.board) return board;
  }
  const std::string names = Joined(fleet.boards, &BoardAddress::name);
  if (choice.board.empty()) {
    return InvalidArgument(choice.fleet + " lists several boards (" + names +
                           "): choose one with --board NAME");
  }
  return InvalidArgument("--board: " + choice.fleet + " lists no board \"" + choice.board +
                         "\", only: " + names);
}

struct ListedBoard {
  BoardAddress address;
  AgentKeys keys;
};

Status CheckFleetFlags(const BoardChoice& choice) {
  if (choice.fast) return InvalidArgument("--fast is for --device model:TABLE, not for --fleet");
  if (!choice.cpu.empty()) {
    return InvalidArgument(
        "--cpu is for --device local; a board of a fleet has its own (bitpilotd serve --cpu)");
  }
  return Status();
}

Result<ListedBoard> ReadListedBoard(const BoardChoice& choice) {
  BITPILOT_RETURN_IF_ERROR(CheckFleetFlags(choice));
  const Result<Fleet> fleet = ReadFleetFile(choice.fleet);
  if (!fleet.ok()) return fleet.status();
  Result<BoardAddress> address = ChooseBoard(*fleet, choice);
  if (!address.ok()) return address.status();
  Result<AgentKeys> keys = ReadAgentKeys(fleet->keys_directory);
  if (!keys.ok()) return keys.status().AsCorruptInput();
  return ListedBoard{std::move(*address), std::move(*keys)};
}

Status CheckNoBoardOfAFleet(const BoardChoice& choice) {
  if (choice.lease) BITPILOT_RETURN_IF_ERROR(CheckLeaseIsOfAFleet(choice.fleet));
  if (choice.board.empty()) return Status();
  return InvalidArgument("--board " + choice.board +
                         " is a board of a fleet file: give --fleet FILE, too");
}

}  // namespace

Status CheckLeaseIsOfAFleet(const std::string& fleet) {
  if (!fleet.empty()) return Status();
  return InvalidArgument(
      "--lease and --priority are for boards of a fleet file (--fleet FILE): a board of --device "
      "is "
      "this agent's alone");
}

Result<std::optional<CostTable>> CheckBoardChoice(const BoardChoice& choice) {
  if (choice.fleet.empty()) {
    BITPILOT_RETURN_IF_ERROR(CheckNoBoardOfAFleet(choice));
    return CheckLocalDevice(choice.device, choice.fast, choice.cpu);
  }
  BITPILOT_RETURN_IF_ERROR(CheckFleetFlags(choice));
  // Else nothing would be left of it for OpenChosenBoard().
  if (!IsReadOnce(choice.fleet)) BITPILOT_RETURN_IF_ERROR(ReadListedBoard(choice).status());
  return std::optional<CostTable>();
}

Result<std::unique_ptr<Board>> OpenChosenBoard(const BoardChoice& choice,
                                               const BoardOptions& options) {
  if (choice.fleet.empty()) {
    BITPILOT_RETURN_IF_ERROR(CheckNoBoardOfAFleet(choice));
    BoardOptions local_options = options;
    local_options.fast = choice.fast;
    local_options.cpu = choice.cpu;
    return StartLocalBoard(choice.device, local_options);
  }
  const Result<ListedBoard> board = ReadListedBoard(choice);
  if (!board.ok()) return board.status();
  BITPILOT_RETURN_IF_ERROR(CheckHost(board->address));
  BoardOptions with_lease = options;
  if (choice.lease) {
    with_lease.lease = *choice.lease;
    with_lease.lease_wait = kForever;
  }
  return ConnectBoard(board->address, board->keys, with_lease);
}

}  // namespace bitpilot

#include "agent/cli/fleet_state.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/board_row.h"
#include "agent/cli/command.h"
#include "agent/cli/fleet_choice.h"
#include "agent/cli/terminal.h"
#include "agent/fleet/fleet_watch.h"
#include "kernels/base/joined.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr double kTopTimeout = 3.0;  // seconds

struct StateFlags : FleetFlags {
  std::vector<std::string> boards;
  std::optional<double> timeout_s;
  bool offline = false;     // of list
  double interval_s = 2.0;  // of top
};

std::vector<std::string> Table(const FleetWatch& watch) {
  std::vector<ShownBoard> boards;
  for (std::size_t i = 0; i < watch.size(); ++i) {
    boards.push_back({watch.address(i), watch.View(i), watch.SeenAgo(i)});
  }
  return BoardTable(boards);
}

bool AllAnswered(const FleetWatch& watch) {
  for (std::size_t i = 0; i < watch.size(); ++i) {
    if (!watch.View(i).status.ok()) return false;
  }
  return true;
}

// The table, or the JSON object; the exit code says whether every board answered.
int PrintState(const FleetWatch& watch, bool json) {
  const bool ok = AllAnswered(watch);
  if (json) {
    Json boards = Json::array();
    for (std::size_t i = 0; i < watch.size(); ++i) {
      boards.push_back(BoardJson(watch.address(i), watch.View(i), watch.SeenAgo(i)));
    }
    PrintJson({{"type", "result"}, {"ok", ok}, {"boards", boards}});
  } else {
    for (const std::string& line : Table(watch)) std::printf("%s\n", line.c_str());
  }
  return ok ? kExitDone : kExitFailed;
}

int PrintOnce(const StateFlags& flags) {
  Result<ChosenFleet> fleet = ReadChosenFleet(flags, flags.boards, "--board");
  if (!fleet.ok()) return Fail(fleet.status(), flags.json);
  StopOnSignals();
  FleetWatch watch(std::move(fleet->boards), fleet->keys);
  watch.AskAll({}, PatienceOf(flags.timeout_s), StopRequested);
  if (StopRequested()) return Fail(Status(StatusCode::kAborted, "stopped"), flags.json);
  return PrintState(watch, flags.json);
}

int PrintFile(const StateFlags& flags) {
  const Result<Fleet> fleet = ReadFleetFile(flags.file);
  if (!fleet.ok()) return Fail(fleet.status(), flags.json);
  const Result<std::vector<BoardAddress>> chosen =
      ChooseBoards(*fleet, flags.file, flags.boards, "--board");
  if (!chosen.ok()) return Fail(chosen.status(), flags.json);
  Json boards = Json::array();
  std::vector<std::vector<std::string>> rows = {{"board", "endpoint", "class", "listed at"}};
  for (const BoardAddress& board : *chosen) {
    boards.push_back(ListedBoardJson(board));
    rows.push_back({board.name, board.connects ? "connects to " + board.endpoint : board.endpoint,
                    board.tags.empty() ? "-" : Joined(board.tags), board.listed_at});
  }
  if (flags.json) {
    PrintJson({{"type", "result"}, {"keys", fleet->keys_directory}, {"boards", boards}});
  } else {
    std::printf("keys: %s\n\n", fleet->keys_directory.c_str());
    PrintTable(rows);
  }
  return kExitDone;
}

int RunList(const StateFlags& flags) { return flags.offline ? PrintFile(flags) : PrintOnce(flags); }

std::vector<std::string> Frame(const FleetWatch& watch) {
  std::vector<std::string> lines = Table(watch);
  lines.emplace_back();
  lines.emplace_back("q or Ctrl-C ends");
  return lines;
}

// Draws until somebody ends it.
void WatchOnScreen(FleetWatch& watch, const StateFlags& flags) {
  TerminalScreen screen;
  screen.Draw({"asking " + Counted(static_cast<std::int64_t>(watch.size()), "board")});
  const std::function<bool()> ends = [&screen] { return StopRequested() || screen.QuitPressed(); };
  while (!ends()) {
    const Clock::time_point next = Clock::now() + Milliseconds(flags.interval_s);
    // A board that connects comes in some later round.
    const double timeout_s = flags.timeout_s.value_or(kTopTimeout);
    watch.AskAll({}, {Milliseconds(timeout_s), Milliseconds(timeout_s)}, ends);
    if (ends()) return;
    screen.Draw(Frame(watch));
    while (Clock::now() < next && !ends()) std::this_thread::sleep_for(milliseconds{50});
  }
}

int RunTop(const StateFlags& flags) {
  if (flags.json || isatty(STDOUT_FILENO) == 0) return PrintOnce(flags);
  Result<ChosenFleet> fleet = ReadChosenFleet(flags, flags.boards, "--board");
  if (!fleet.ok()) return Fail(fleet.status(), flags.json);
  StopOnSignals();
  FleetWatch watch(std::move(fleet->boards), fleet->keys);
  WatchOnScreen(watch, flags);
  return kExitDone;
}

void AddStateFlags(CLI::App& command, StateFlags& flags) {
  command.add_option("--board", flags.boards, "Only this board; repeats");
  AddTimeoutFlag(command, flags.timeout_s);
  AddFleetFlags(command, flags);
}

}  // namespace

void AddFleetStateCommands(CLI::App& fleet, int& exit_code) {
  CLI::App* list = fleet.add_subcommand("list",
                                        "What each board of the fleet file does now; takes no "
                                        "lease and disturbs no measurement. Exit "
                                        "code 1 if one does not answer");
  const auto list_flags = std::make_shared<StateFlags>();
  list->add_flag("--offline", list_flags->offline, "Ask none: only what the file says");
  AddStateFlags(*list, *list_flags);
  list->callback([list_flags, &exit_code] { exit_code = RunList(*list_flags); });

  CLI::App* top = fleet.add_subcommand("top",
                                       "The same, again and again on a terminal, until q or "
                                       "Ctrl-C; where the output is no terminal, "
                                       "or with --json, once");
  const auto top_flags = std::make_shared<StateFlags>();
  top->add_option("--interval", top_flags->interval_s, "Seconds from one to the next")
      ->transform(NumberIn(0.2, 3600.0))
      ->capture_default_str();
  AddStateFlags(*top, *top_flags);
  top->callback([top_flags, &exit_code] { exit_code = RunTop(*top_flags); });
}

}  // namespace bitpilot

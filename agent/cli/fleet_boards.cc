#include "agent/cli/fleet_boards.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/board_row.h"
#include "agent/cli/command.h"
#include "agent/cli/enroll_commands.h"
#include "agent/cli/fleet_choice.h"
#include "agent/cli/fleet_lines.h"
#include "agent/fleet/board.h"
#include "agent/fleet/fleet_board.h"
#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/fleet_file.h"
#include "agent/fleet/keys.h"
#include "kernels/base/file_io.h"
#include "kernels/base/file_lock.h"
#include "kernels/base/home_folder.h"
#include "kernels/base/shell_word.h"
#include "kernels/base/text_file.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

struct AddFlags : FleetFlags {
  std::string name;
  std::string endpoint;
  std::string public_key;
  std::vector<std::string> tags;
  std::string keys = "keys";
  bool connects = false;
  std::string listen = "tcp://0.0.0.0:7776";
};

struct CheckFlags : FleetFlags {
  std::vector<std::string> boards;
  std::optional<double> timeout_s;
};

// What is there of the fleet file; nullopt if there is none.
Result<std::optional<std::string>> ReadExisting(const std::string& file) {
  Result<std::string> text = ReadTextFile(file);
  if (text.ok()) return std::optional<std::string>(std::move(*text));
  if (text.status().code() == StatusCode::kNotFound) return std::optional<std::string>();
  return text.status();
}

// `existing`, or a file that begins with the keys, and the new board below; flags.listen in front.
std::string WithBoard(const AddFlags& flags, const std::optional<std::string>& existing) {
  const std::string begin = "keys = " + TomlText(AbsolutePath(ExpandHome(flags.keys))) + "\n";
  std::string text = existing.value_or(begin);
  if (!text.empty() && text.back() != '\n') text += '\n';
  BoardAddress board{flags.name, flags.endpoint, flags.public_key, ""};
  board.tags = flags.tags;
  board.connects = flags.connects;
  if (flags.connects && !flags.listen.empty()) {
    // In front: what stands below a [[board]] is that board's.
    text = "listen = " + TomlText(flags.listen) + "\n" + std::string(WithoutByteOrderMark(text));
  }
  return text + "\n" + BoardLines(board);
}

// listen: of this fleet.
EnrollCommands CommandsOf(const AddFlags& flags, const AgentKeys& keys, const std::string& listen) {
  std::string here;
  if (flags.connects && listen != AddFlags().listen) here += " --listen " + ShellWord(listen);
  if (flags.file != FleetFlags().file) here += " --fleet " + ShellWord(flags.file);
  if (flags.keys != AddFlags().keys) here += " --keys " + ShellWord(flags.keys);
  return EnrollCommandsOf({flags.name, flags.endpoint, flags.connects, listen, flags.tags}, keys,
                          here);
}

constexpr char kAddLabel[] = "fleet add";

// "fleet.toml:14: ..." names a line that nobody sees, of a file that is not written.
Status WithoutLine(const Status& status, const std::string& file) {
  const std::string& message = status.message();
  const std::size_t colon = message.find(':', file.size() + 1);
  if (!message.starts_with(file + ":") || colon == std::string::npos) return status;
  return {status.code(), file + message.substr(colon)};
}

// The fleet with the new board, of a file that is right as it is; nothing is written.
//
// Errors: kInvalidArgument for what the flags say, and for a board of this name, endpoint or key that is
// listed.
Result<Fleet> FleetWithBoard(AddFlags flags, const std::optional<std::string>& existing) {
  // Of a board whose key is not known yet: all the rest can be checked.
  if (flags.public_key.empty()) flags.public_key = std::string(40, '0');
  AddFlags as_first = flags;
  if (as_first.listen.empty()) as_first.listen = AddFlags().listen;
  const Result<Fleet> alone = ParseFleetFile(WithBoard(as_first, std::nullopt), kAddLabel);
  if (!alone.ok()) return WithoutLine(alone.status(), kAddLabel);
  Result<Fleet> fleet = ParseFleetFile(WithBoard(flags, existing), flags.file);
  if (!fleet.ok()) return WithoutLine(fleet.status(), flags.file);
  return fleet;
}

int PrintEnroll(const AddFlags& flags, const AgentKeys& keys, const std::string& listen) {
  const EnrollCommands commands = CommandsOf(flags, keys, listen);
  if (flags.json) {
    PrintJson({{"type", "result"},
               {"added", false},
               {"board_commands", {commands.on_board_keys, commands.on_board_serve}},
               {"here_command", commands.here}});
    return kExitDone;
  }
  std::printf("%s", DescribeEnroll(commands).c_str());
  return kExitDone;
}

// For who reads the file and writes it anew: another `fleet add` of that time would be lost. Waits for
// those, which take no time.
Result<FileLock> LockFleetFile(const std::string& file) {
  constexpr int kTries = 500;
  for (int tries = 1;; ++tries) {
    Result<FileLock> lock = FileLock::Acquire(file);
    if (lock.status().code() != StatusCode::kUnavailable || tries == kTries) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

int RunAdd(AddFlags flags) {
  if (flags.connects != flags.endpoint.empty()) {
    return Fail(
        InvalidArgument("say how this machine reaches the board, --endpoint tcp://HOST:7777, "
                        "or that the board connects to it, --connects"),
        flags.json);
  }
  std::optional<FileLock> lock;
  if (!flags.public_key.empty()) {
    Result<FileLock> taken = LockFleetFile(flags.file);
    if (!taken.ok()) return Fail(taken.status(), flags.json);
    lock.emplace(std::move(*taken));
  }
  const Result<std::optional<std::string>> existing = ReadExisting(flags.file);
  if (!existing.ok()) return Fail(existing.status(), flags.json);
  if (*existing) {
    const Result<Fleet> begun = ParseBegunFleetFile(**existing, flags.file);
    if (!begun.ok()) return Fail(begun.status().AsCorruptInput(), flags.json);
    // The file's own stays.
    if (!begun->listen.empty()) flags.listen.clear();
  }
  const Result<Fleet> fleet = FleetWithBoard(flags, *existing);
  if (!fleet.ok()) return Fail(fleet.status(), flags.json);
  const Result<AgentKeys> keys = ReadAgentKeys(fleet->keys_directory);
  if (!keys.ok()) return Fail(keys.status().AsCorruptInput(), flags.json);
  if (flags.public_key.empty()) return PrintEnroll(flags, *keys, fleet->listen);
  const Status written = WriteFileAtomically(flags.file, WithBoard(flags, *existing));
  if (!written.ok()) return Fail(written, flags.json);
  if (flags.json) {
    PrintJson({{"type", "result"}, {"added", true}, {"fleet", flags.file}, {"board", flags.name}});
  } else {
    std::printf("%s lists %s. Next: bitpilot fleet check --fleet %s --board %s\n",
                flags.file.c_str(), flags.name.c_str(), ShellWord(flags.file).c_str(),
                ShellWord(flags.name).c_str());
  }
  return kExitDone;
}

// Whether each answers, trusts this agent, and gives its lease, which is given back at the end. All at
// once.
std::vector<Result<BoardInfo>> CheckBoards(const ChosenFleet& fleet,
                                           const std::optional<double>& timeout_s) {
  BoardOptions options;
  options.connect_timeout = PatienceOf(timeout_s).normal;
  FleetDriver driver({}, {});
  std::vector<fleet::BoardId> ids;
  for (const BoardAddress& address : fleet.boards) {
    ids.push_back(driver.AddBoard(FleetBoardAt(address, fleet.keys, options)));
  }
  std::vector<Result<BoardInfo>> infos;
  for (const fleet::BoardId id : ids) infos.push_back(driver.WaitUntilReady(id, StopRequested));
  return infos;
}

Json CheckedJson(const BoardAddress& address, const Result<BoardInfo>& info) {
  Json object = {{"name", address.name},    {"endpoint", address.endpoint},
                 {"tags", address.tags},    {"ok", info.ok()},
                 {"error", nullptr},        {"isa", nullptr},
                 {"cpu_model", nullptr},    {"kernel_build", nullptr},
                 {"daemon_build", nullptr}, {"backend", nullptr},
                 {"energy_source", nullptr}};
  if (!info.ok()) {
    object["error"] = info.status().message();
    return object;
  }
  object["isa"] = info->isa;
  object["cpu_model"] = info->cpu_model;
  object["kernel_build"] = info->kernel_build;
  object["daemon_build"] = info->daemon_build;
  object["backend"] = info->backend;
  if (info->energy.measures()) object["energy_source"] = info->energy.source;
  return object;
}

std::string DescribeBoard(const Result<BoardInfo>& info) {
  if (!info.ok()) return WithoutControls(info.status().message());
  return info->cpu_model + ", " + info->isa + ", kernels " + ShortBuild(info->kernel_build) + ", " +
         info->daemon_build + ", backend: " + BackendText(*info) +
         ", energy: " + (info->energy.measures() ? info->energy.source : std::string("none"));
}

int RunCheck(const CheckFlags& flags) {
  const Result<ChosenFleet> fleet = ReadChosenFleet(flags, flags.boards, "--board");
  if (!fleet.ok()) return Fail(fleet.status(), flags.json);
  StopOnSignals();
  const std::vector<Result<BoardInfo>> infos = CheckBoards(*fleet, flags.timeout_s);
  if (StopRequested()) return Fail(Status(StatusCode::kAborted, "stopped"), flags.json);
  Json list = Json::array();
  bool all_ok = true;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const BoardAddress& address = fleet->boards[i];
    all_ok = all_ok && infos[i].ok();
    list.push_back(CheckedJson(address, infos[i]));
    if (flags.json) continue;
    std::printf("%s: %s: %s\n", address.name.c_str(), infos[i].ok() ? "ok" : "FAILED",
                DescribeBoard(infos[i]).c_str());
  }
  if (flags.json) PrintJson({{"type", "result"}, {"ok", all_ok}, {"boards", list}});
  return all_ok ? kExitDone : kExitFailed;
}

}  // namespace

void AddFleetBoardCommands(CLI::App& fleet, int& exit_code) {
  CLI::App* add = fleet.add_subcommand(
      "add",
      "Say in three commands how a board is enrolled; with --public-key, add it to the fleet file");
  const auto add_flags = std::make_shared<AddFlags>();
  add->add_option("name", add_flags->name, "What --board calls it")->required();
  add->add_option("--endpoint", add_flags->endpoint,
                  "How this machine reaches it, e.g. tcp://192.0.2.7:7777");
  add->add_flag("--connects", add_flags->connects,
                "Instead: it cannot be reached, as behind a NAT, and connects to this machine");
  add->add_option("--listen", add_flags->listen,
                  "Where this machine listens for such boards, of a fleet file that does not say")
      ->capture_default_str();
  add->add_option("--public-key", add_flags->public_key,
                  "What `bitpilotd keygen` printed on the board");
  add->add_option("--tag", add_flags->tags,
                  "A class that it belongs to, as `search --class` names it; repeats");
  add->add_option(
         "--keys", add_flags->keys,
         "This agent's keys, of a fleet file that is begun; one that is there names its own")
      ->capture_default_str();
  AddFleetFlags(*add, *add_flags);
  add->callback([add_flags, &exit_code] { exit_code = RunAdd(*add_flags); });

  CLI::App* check = fleet.add_subcommand("check",
                                         "Connect to the boards, all at once, and take their "
                                         "leases for a moment; exit code 1 if one does "
                                         "not answer, does not know this agent or is leased");
  const auto check_flags = std::make_shared<CheckFlags>();
  check->add_option("--board", check_flags->boards, "Only this board; repeats");
  AddTimeoutFlag(*check, check_flags->timeout_s);
  AddFleetFlags(*check, *check_flags);
  check->callback([check_flags, &exit_code] { exit_code = RunCheck(*check_flags); });
}

}  // namespace bitpilot

// bitpilot fleet add, list, check and the orders, as users and scripts call them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "kernels/base/text_file.h"
#include "tests/agent/forked_process.h"
#include "tests/agent/program.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

class FleetBoardsProgramTest : public testing::Test {
 protected:
  // In the folder, with this build's programs.
  ProgramResult Shell(const std::string& command) const {
    const auto folder_of = [](const std::string& program) {
      return std::filesystem::path(ProgramPath(program)).parent_path().string();
    };
    return RunProgram({"/bin/sh", "-c", "cd \"$1\" && PATH=\"$2:$3:$PATH\" && { " + command + "\n}",
                       "sh", folder_.path(), folder_of("bitpilot"), folder_of("bitpilotd")});
  }
  Json Run(const std::string& command, int exit_code = 0) const {
    const ProgramResult result = Shell("bitpilot fleet " + command + " --json");
    EXPECT_EQ(result.exit_code, exit_code) << command << '\n' << result.err;
    return Json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  }
  void ExpectRefused(const std::string& command, int exit_code, const std::string& message) const {
    const ProgramResult result = Shell("bitpilot fleet " + command);
    EXPECT_EQ(result.exit_code, exit_code) << command;
    EXPECT_THAT(result.err, HasSubstr(message)) << command;
    EXPECT_EQ(result.out, "") << command;
  }
  std::string Text(const std::string& name) const {
    const Result<std::string> text = ReadTextFile(folder_ / name);
    return text.ok() ? *text : "";
  }

  // The daemon of board-keys on a free port, in `daemon`; returns its endpoint.
  std::string Serve(std::unique_ptr<ForkedProcess>& daemon) const {
    const std::string program = ProgramPath("bitpilotd");
    const std::string keys = folder_ / "board-keys";
    const std::string ready = folder_ / "ready";
    daemon = std::make_unique<ForkedProcess>([&](const ForkedProcess::Report&) {
      const int out = open(ready.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(out, STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), "serve", "--listen", "tcp://127.0.0.1:0", "--keys",
            keys.c_str(), "--exit-with-parent", "--json", nullptr);
      _exit(1);
    });
    for (int tries = 0; tries < 1000; ++tries) {
      const std::string text = Text("ready");
      if (text.ends_with("\n")) return Json::parse(text)["endpoint"];
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << "bitpilotd does not get ready";
    return "";
  }

  // A fleet of the board "bench", which serves and knows this agent, with `words` behind its key.
  void Enroll(std::unique_ptr<ForkedProcess>& daemon, const std::string& words) const {
    ASSERT_EQ(Shell("bitpilot fleet keygen --keys keys").exit_code, 0);
    ASSERT_EQ(Shell("bitpilotd keygen --keys board-keys && echo \"me $(cat keys/agent.pub) " +
                    words + "\" > board-keys/authorized_agents")
                  .exit_code,
              0);
    const std::string endpoint = Serve(daemon);
    ASSERT_EQ(Shell("bitpilot fleet add bench --endpoint " + endpoint +
                    " --public-key=\"$(cat board-keys/daemon.pub)\"")
                  .exit_code,
              0);
  }
  Json OnlyBoard(const std::string& command, int exit_code = 0) const {
    const Json boards = Run(command, exit_code)["boards"];
    EXPECT_EQ(boards.size(), 1U) << command;
    return boards.size() == 1 ? boards[0] : Json::object();
  }

  const TemporaryFolder folder_;
};

TEST_F(FleetBoardsProgramTest, AddWritesTheClassesOfABoard) {
  ASSERT_EQ(
      Shell("bitpilot fleet keygen --keys keys && bitpilotd keygen --keys board-keys").exit_code,
      0);
  const std::string board = "add bench --endpoint tcp://127.0.0.1:1 --tag pi5 --tag 'lab'";
  EXPECT_THAT(std::string(Run(board)["here_command"]), HasSubstr("--tag pi5 --tag lab"));
  ASSERT_EQ(Run(board + " --public-key=\"$(cat board-keys/daemon.pub)\"")["added"], true);
  EXPECT_THAT(Text("fleet.toml"), HasSubstr("tags = [\"pi5\", \"lab\"]"));
  ExpectRefused("add two --endpoint tcp://127.0.0.1:2 --tag 'not one'", 2, "fleet add: 'tags'");
}

TEST_F(FleetBoardsProgramTest, ThreeCommandsEnrollABoard) {
  ASSERT_EQ(Shell("bitpilot fleet keygen --keys keys").exit_code, 0);
  const Json before = Run("add bench --endpoint tcp://192.0.2.7:7001");
  EXPECT_EQ(before["added"], false);
  EXPECT_EQ(before["board_commands"][1],
            "bitpilotd serve --listen 'tcp://0.0.0.0:7001' --keys board-keys");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fleet.toml")) << "it only says what to do";
  const ProgramResult keys = Shell(before["board_commands"][0]);
  ASSERT_EQ(keys.exit_code, 0) << keys.err;

  std::unique_ptr<ForkedProcess> daemon;
  const std::string endpoint = Serve(daemon);
  std::string public_key = Text("board-keys/daemon.pub");
  ASSERT_EQ(public_key.size(), 41U);
  public_key.pop_back();
  EXPECT_THAT(keys.out, HasSubstr(public_key));
  std::string here = Run("add bench --endpoint " + endpoint)["here_command"];
  const std::string placeholder = "BOARD_PUBLIC_KEY";
  ASSERT_NE(here.find(placeholder), std::string::npos);
  here.replace(here.find(placeholder), placeholder.size(), public_key);
  const ProgramResult added = Shell(here);
  ASSERT_EQ(added.exit_code, 0) << here << added.err;
  EXPECT_THAT(added.out, HasSubstr("fleet check --fleet fleet.toml --board bench"));

  const Json list = Run("list");
  ASSERT_EQ(list["boards"].size(), 1U);
  EXPECT_EQ(list["boards"][0]["name"], "bench");
  EXPECT_EQ(list["boards"][0]["endpoint"], endpoint);
  EXPECT_EQ(list["boards"][0]["public_key"], public_key);
  EXPECT_EQ(list["boards"][0]["state"], "READY");
  EXPECT_EQ(list["boards"][0]["role"], "AGENT");
  EXPECT_THAT(Shell("bitpilot fleet list").out, HasSubstr("bench  READY"));
  EXPECT_THAT(Shell("bitpilot fleet list --offline").out, HasSubstr("bench  " + endpoint));

  const Json check = Run("check");
  EXPECT_EQ(check["ok"], true);
  EXPECT_EQ(check["boards"][0]["ok"], true);
  EXPECT_NE(check["boards"][0]["isa"], "");
  EXPECT_TRUE(check["boards"][0]["error"].is_null());
  EXPECT_THAT(Shell("bitpilot fleet check --board bench").out, HasSubstr("bench: ok: "));

  daemon.reset();
  const Json gone = Run("check", 1);
  EXPECT_EQ(gone["ok"], false);
  EXPECT_EQ(gone["boards"][0]["ok"], false);
  EXPECT_THAT(gone["boards"][0]["error"].get<std::string>(), HasSubstr("bench"));
}

TEST_F(FleetBoardsProgramTest, AddsBelowWhatIsThereAndRefusesWhatDoesNotFit) {
  const std::string key(40, 'k');
  ExpectRefused("add a --endpoint tcp://192.0.2.7:7777", 1, "fleet keygen");
  ASSERT_EQ(Shell("bitpilot fleet keygen --keys keys").exit_code, 0);
  const std::string add_a = "add a --endpoint tcp://192.0.2.7:7777 --public-key=" + key;
  ExpectRefused("add 'a b' --endpoint tcp://192.0.2.7:7777", 2, "'name' has letters");
  ExpectRefused("add a --endpoint udp://192.0.2.7:7777", 2, "'endpoint' of board 'a'");
  ExpectRefused("add a --endpoint tcp://192.0.2.7:7777 --public-key=short", 2, "40 characters");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fleet.toml"));

  EXPECT_EQ(Run(add_a)["added"], true);
  const std::string one = Text("fleet.toml") + "# a remark\n";
  ASSERT_EQ(Shell("echo '# a remark' >> fleet.toml").exit_code, 0);
  EXPECT_EQ(
      Run("add b --endpoint tcp://192.0.2.8:7777 --public-key=" + std::string(40, 'o'))["added"],
      true);
  EXPECT_TRUE(Text("fleet.toml").starts_with(one));
  EXPECT_EQ(Run("list --offline")["boards"].size(), 2U);

  const std::string two = Text("fleet.toml");
  ExpectRefused(add_a, 2, "fleet.toml: board 'a' has the endpoint of 'a'");
  ExpectRefused("add a --endpoint tcp://192.0.2.9:7777 --public-key=" + key, 2,
                "fleet.toml: board 'a' has the name");
  EXPECT_EQ(Text("fleet.toml"), two);
  ExpectRefused("check --board c", 2, "lists no board \"c\", only: a, b");
  ExpectRefused("list --fleet none.toml", 1, "none.toml");

  // What is wrong in the file itself is named by the lines that it has, whatever would stand before them.
  ASSERT_EQ(Shell("echo 'colour = 1' >> fleet.toml").exit_code, 0);
  ExpectRefused("add c --connects --public-key=" + std::string(40, 'x'), 1,
                "fleet.toml:" + std::to_string(std::count(two.begin(), two.end(), '\n') + 1) +
                    ": unknown key 'colour'");
}

TEST_F(FleetBoardsProgramTest, AddsAtTheSameTimeAreAllThere) {
  ASSERT_EQ(Shell("bitpilot fleet keygen --keys keys").exit_code, 0);
  const ProgramResult added = Shell(
      "for i in a b c d e f g h i j k l; do bitpilot fleet add $i --endpoint tcp://$i:7777 "
      "--public-key=$(printf '%40s' '' | tr ' ' $i) & done; wait");
  EXPECT_EQ(Run("list --offline")["boards"].size(), 12U) << added.out << added.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fleet.toml.lock"));
}

TEST_F(FleetBoardsProgramTest, AnOrderHoldsForEveryAgentUntilItIsTakenBack) {
  std::unique_ptr<ForkedProcess> daemon;
  Enroll(daemon, "admin");
  const Json drained = OnlyBoard("drain bench --reason 'new fan'");
  EXPECT_EQ(drained["state"], "DRAINING");
  EXPECT_EQ(drained["drain_reason"], "new fan");
  EXPECT_EQ(OnlyBoard("list")["draining"], true);
  EXPECT_THAT(OnlyBoard("check", 1)["error"].get<std::string>(), HasSubstr("bench"));
  EXPECT_THAT(OnlyBoard("release --all", 1)["error"].get<std::string>(),
              HasSubstr("`undrain` ends that"));

  const Json quarantined = OnlyBoard("quarantine bench --reason 'wrong outputs'");
  EXPECT_EQ(quarantined["state"], "QUARANTINED");
  EXPECT_EQ(quarantined["quarantined"], true);
  const ProgramResult table = Shell("bitpilot fleet top");
  EXPECT_EQ(table.exit_code, 0) << "once, where the output is no terminal";
  EXPECT_THAT(table.out, HasSubstr("quarantined: wrong outputs"));
  EXPECT_THAT(OnlyBoard("undrain bench", 1)["error"].get<std::string>(),
              HasSubstr("`release` ends that"));
  EXPECT_THAT(OnlyBoard("drain bench", 1)["error"].get<std::string>(),
              HasSubstr("`release` ends that"));
  EXPECT_EQ(OnlyBoard("release bench")["state"], "READY");
  EXPECT_EQ(OnlyBoard("check")["ok"], true);

  ExpectRefused("darin bench", 2, "unknown command \"darin\"; bitpilot fleet --help lists them");
  ExpectRefused("drain", 2, "their names, or --all");
  ExpectRefused("drain nobody", 2, "lists no board \"nobody\", only: bench");
  EXPECT_NE(Shell("bitpilot fleet quarantine bench").exit_code, 0) << "without a reason";
  ExpectRefused("quarantine bench --reason ' '", 2, "--reason is empty");
  ExpectRefused("drain bench --reason \"$(printf 'one\\ntwo')\"", 2, "one line of UTF-8");
}

TEST_F(FleetBoardsProgramTest, AnOrderKeepsTheReasonThatABoardWasDrainedFor) {
  std::unique_ptr<ForkedProcess> daemon;
  Enroll(daemon, "admin");
  OnlyBoard("drain bench --reason 'new fan'");
  EXPECT_EQ(OnlyBoard("drain bench")["drain_reason"], "new fan");
  EXPECT_EQ(OnlyBoard("quarantine bench --reason slow")["drain_reason"],
            "quarantined: slow; was drained: new fan");
  EXPECT_EQ(OnlyBoard("quarantine bench --reason 'wrong outputs'")["drain_reason"],
            "quarantined: wrong outputs; was drained: new fan");
  EXPECT_EQ(OnlyBoard("release bench")["state"], "READY");
  EXPECT_EQ(OnlyBoard("drain bench")["drain_reason"], "no reason was given");
}

TEST_F(FleetBoardsProgramTest, SaysWhyABoardDoesNotAnswerInItsRow) {
  std::unique_ptr<ForkedProcess> daemon;
  Enroll(daemon, "observer");
  EXPECT_EQ(OnlyBoard("list")["role"], "OBSERVER");
  EXPECT_THAT(OnlyBoard("drain bench", 1)["error"].get<std::string>(), HasSubstr("admin"));
  ASSERT_EQ(Shell("bitpilot fleet add gone --endpoint tcp://127.0.0.1:1 --public-key=\"$(cat "
                  "keys/agent.pub)\"")
                .exit_code,
            0);
  const Json boards = Run("list --timeout 2", 1)["boards"];
  ASSERT_EQ(boards.size(), 2U);
  EXPECT_EQ(boards[0]["ok"], true) << boards[0];
  EXPECT_EQ(boards[1]["ok"], false);
  EXPECT_EQ(boards[1]["state"], "AWAY");
  EXPECT_TRUE(boards[1]["seen_ms_ago"].is_null());
  const ProgramResult table = Shell("bitpilot fleet list --timeout 2");
  EXPECT_EQ(table.exit_code, 1);
  EXPECT_THAT(table.out, HasSubstr("board 'gone' at tcp://127.0.0.1:1 does not answer"));
  EXPECT_EQ(Run("list --board bench")["boards"].size(), 1U);
}

// It takes connections, and says nothing.
TEST_F(FleetBoardsProgramTest, SaysThatAnotherProgramMayHaveTheBoardsPort) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const int other = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(bind(other, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(other, 8), 0);
  ASSERT_EQ(getsockname(other, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_EQ(Shell("bitpilot fleet keygen --keys keys && bitpilot fleet add bench --endpoint "
                  "tcp://127.0.0.1:" +
                  std::to_string(ntohs(address.sin_port)) + " --public-key=" + std::string(40, 'k'))
                .exit_code,
            0);
  EXPECT_THAT(OnlyBoard("list --timeout 0.5", 1)["error"].get<std::string>(),
              HasSubstr("no word from a bitpilotd within 0.5 s"));
  EXPECT_THAT(OnlyBoard("check --timeout 2.5", 1)["error"].get<std::string>(),
              HasSubstr("bitpilotd, and no other program, listens there"));
  close(other);
}

TEST_F(FleetBoardsProgramTest, AddsABoardThatConnects) {
  ASSERT_EQ(Shell("bitpilot fleet keygen --keys keys").exit_code, 0);
  const Json before = Run("add nat --connects --listen tcp://0.0.0.0:7070");
  const std::string serve = before["board_commands"][1];
  EXPECT_THAT(serve, testing::StartsWith("bitpilotd serve --connect "));
  EXPECT_THAT(serve, HasSubstr(":7070"));
  EXPECT_THAT(before["here_command"].get<std::string>(),
              HasSubstr("--connects --listen tcp://0.0.0.0:7070"));
  const std::string key(39, 'k');
  EXPECT_EQ(
      Run("add nat --connects --listen tcp://0.0.0.0:7070 --public-key=" + key + "1")["added"],
      true);
  EXPECT_EQ(Run("add other --connects --public-key=" + key + "2")["added"], true);
  const Json boards = Run("list --offline")["boards"];
  ASSERT_EQ(boards.size(), 2U);
  EXPECT_EQ(boards[1]["endpoint"], "tcp://0.0.0.0:7070") << "the file's own listen counts";
  EXPECT_EQ(boards[1]["connects"], true);
  ExpectRefused("add third", 2, "--connects");
  ExpectRefused("add third --connects --endpoint tcp://192.0.2.7:7777", 2, "--connects");
  ExpectRefused("add third --connects --public-key=" + key + "1", 2, "has the public_key of 'nat'");
  ExpectRefused("add third --endpoint tcp://192.0.2.7:7777 --public-key=" + key + "1", 2,
                "the two are one board");
}

TEST_F(FleetBoardsProgramTest, AddsTheFirstBoardBelowTheKeys) {
  ASSERT_EQ(Shell("bitpilot fleet keygen --keys keys").exit_code, 0);
  const std::string begin = "keys = \"" + (folder_ / "keys") + "\"\n";
  ASSERT_EQ(Shell("printf '%s\\n' 'keys = \"" + (folder_ / "keys") + "\"' > fleet.toml").exit_code,
            0);
  EXPECT_EQ(
      Run("add a --endpoint tcp://192.0.2.7:7777 --public-key=" + std::string(40, 'k'))["added"],
      true);
  EXPECT_TRUE(Text("fleet.toml").starts_with(begin));
}

}  // namespace
}  // namespace bitpilot

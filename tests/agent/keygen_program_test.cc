// What the two keygens print is pasted on the other side as it is, and lets agent and board meet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/fleet/fleet_file.h"
#include "agent/fleet/keys.h"
#include "kernels/base/host_name.h"
#include "kernels/base/text_file.h"
#include "tests/agent/program.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::json;

class KeygenProgramTest : public testing::Test {
 protected:
  // A folder whose name a shell would take apart, and TOML, too.
  KeygenProgramTest() : home_(folder_ / "it's \"my\" $HOME\\n\t\x01\x7f!") {
    std::filesystem::create_directory(home_);
  }

  // The one line of what `command` prints for people that has `text`, without the spaces before it.
  std::string LineWith(const std::string& text, const std::vector<std::string>& command) const {
    const ProgramResult result = RunProgram(command);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::istringstream lines(result.out);
    std::vector<std::string> found;
    for (std::string line; std::getline(lines, line);) {
      if (line.find(text) == std::string::npos) continue;
      found.push_back(line.substr(line.find_first_not_of(' ')));
    }
    EXPECT_EQ(found.size(), 1U) << result.out;
    return found.empty() ? "" : found.front();
  }

  // In that folder, with this build's programs.
  ProgramResult RunLine(const std::string& line) const {
    const auto folder_of = [](const std::string& program) {
      return std::filesystem::path(ProgramPath(program)).parent_path().string();
    };
    std::ofstream(folder_ / "line.sh")
        << "cd \"$1\" && PATH=\"$2:$3:$PATH\" && { " << line << "; }\n";
    return RunProgram(
        {"/bin/sh", folder_ / "line.sh", home_, folder_of("bitpilot"), folder_of("bitpilotd")});
  }

  std::string Paste(const std::string& line) const {
    const ProgramResult shell = RunLine(line);
    EXPECT_EQ(shell.exit_code, 0) << line << '\n' << shell.err;
    EXPECT_EQ(shell.err, "") << line;
    return shell.out;
  }

  // What `program` prints for scripts about new keys in `folder`.
  Json Keygen(std::vector<std::string> program, const std::string& folder) const {
    program[0] = ProgramPath(program[0]);
    program.insert(program.end(), {"--keys", home_ + "/" + folder, "--json"});
    const ProgramResult result = RunProgram(program);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return Json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  }
  std::string AddToFleet(const std::string& folder) const {
    return Keygen({"bitpilotd", "keygen"}, folder)["add_to_fleet_command"];
  }

  const TemporaryFolder folder_;
  const std::string home_;
};

std::string With(std::string line, const std::string& word, const std::string& value) {
  const std::size_t at = line.find(word);
  EXPECT_NE(at, std::string::npos) << line;
  return at == std::string::npos ? line : line.replace(at, word.size(), value);
}

TEST_F(KeygenProgramTest, TheAgentPrintsThreeCommandsThatAShellTakesAsTheyAre) {
  const std::vector<std::string> agent = {ProgramPath("bitpilot"), "fleet",  "keygen", "--keys",
                                          home_ + "/my keys",      "--force"};
  const std::string here = LineWith("--public-key=", agent);
  EXPECT_THAT(LineWith("bitpilotd serve", agent), StartsWith("bitpilotd serve --listen "));
  const std::string on_board = LineWith("authorized_agents", agent);
  EXPECT_THAT(Paste(on_board), HasSubstr("This board's public key"));
  const Result<AgentKeys> keys = ReadAgentKeys(home_ + "/my keys");
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  EXPECT_EQ(*ReadTextFile(home_ + "/board-keys/authorized_agents"),
            HostNameAsListName() + " " + keys->public_key + "\n");

  std::string public_key = *ReadTextFile(home_ + "/board-keys/daemon.pub");
  public_key.pop_back();
  Paste(With(With(With(here, "NAME", "bench"), "ADDRESS", "192.0.2.7"), "BOARD_PUBLIC_KEY",
             public_key));
  const Result<Fleet> fleet = ReadFleetFile(home_ + "/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  EXPECT_EQ(ReadAgentKeys(fleet->keys_directory)->public_key, keys->public_key);
  ASSERT_EQ(fleet->boards.size(), 1U);
  EXPECT_EQ(fleet->boards[0].name, "bench");
  EXPECT_EQ(fleet->boards[0].endpoint, "tcp://192.0.2.7:7777");
  EXPECT_EQ(fleet->boards[0].public_key, public_key);
}

// A wall of shell is read by nobody: what is printed says what each command does, and fits a terminal.
TEST_F(KeygenProgramTest, SaysWhatEachCommandDoes) {
  const ProgramResult result =
      RunProgram({ProgramPath("bitpilot"), "fleet", "keygen", "--keys", folder_ / "keys"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("1. On the board, make its keys and let this agent in"));
  EXPECT_THAT(result.out, HasSubstr("2. On the board, serve:"));
  EXPECT_THAT(result.out, HasSubstr("3. Here, list the board"));
  std::istringstream lines(result.out);
  int commands = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("     ")) ++commands;
    EXPECT_LE(line.size(), line.starts_with("     ") ? 250U : 130U) << line;
  }
  EXPECT_EQ(commands, 3);
}

TEST_F(KeygenProgramTest, TheBoardPrintsTheLineThatListsIt) {
  const std::vector<std::string> board = {ProgramPath("bitpilotd"), "keygen", "--keys",
                                          home_ + "/board-keys", "--force"};
  const std::string add = LineWith("bitpilot fleet add", board);
  const ProgramResult early = RunLine(add);
  EXPECT_EQ(early.exit_code, 1);
  EXPECT_THAT(early.err, HasSubstr("bitpilot fleet keygen")) << "what to do first";
  Keygen({"bitpilot", "fleet", "keygen"}, "keys");
  EXPECT_THAT(Paste(add), HasSubstr("Next: bitpilot fleet check"));
  const Result<Fleet> fleet = ReadFleetFile(home_ + "/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  ASSERT_EQ(fleet->boards.size(), 1U);
  EXPECT_THAT(fleet->boards[0].name, StartsWith(HostNameAsListName() + "-"));
  EXPECT_EQ(fleet->boards[0].endpoint, "tcp://" + HostNameAsListName() + ":7777");
  EXPECT_EQ(fleet->boards[0].public_key + "\n", *ReadTextFile(home_ + "/board-keys/daemon.pub"));
}

// As of two boards with one image: only the endpoint is left to write, and the message says that.
TEST_F(KeygenProgramTest, NamesTwoBoardsOfOneHostNameApart) {
  Keygen({"bitpilot", "fleet", "keygen"}, "keys");
  Paste(AddToFleet("board-keys"));
  const std::string second = AddToFleet("second-board-keys");
  const ProgramResult refused = RunLine(second);
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("write the address at which each is reached"));
  Paste(With(second, "tcp://" + HostNameAsListName() + ":7777", "tcp://192.0.2.7:7777"));
  const Result<Fleet> fleet = ReadFleetFile(home_ + "/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  ASSERT_EQ(fleet->boards.size(), 2U);
  EXPECT_NE(fleet->boards[0].name, fleet->boards[1].name);
}

TEST_F(KeygenProgramTest, RefusesAFolderThatAFleetFileCannotName) {
  const std::string folder = home_ + "/keys-\xff";
  const ProgramResult result =
      RunProgram({ProgramPath("bitpilot"), "fleet", "keygen", "--keys", folder});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("must be UTF-8"));
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST_F(KeygenProgramTest, GivesTheLinesToScripts) {
  const Json made = Keygen({"bitpilot", "fleet", "keygen"}, "keys");
  const std::string add = AddToFleet("board-keys");
  EXPECT_THAT(made["authorize_command"].get<std::string>(),
              HasSubstr(made["public_key"].get<std::string>()));
  ASSERT_EQ(made["board_commands"].size(), 2U);
  EXPECT_THAT(made["board_commands"][0].get<std::string>(),
              HasSubstr(made["authorize_command"].get<std::string>()));
  EXPECT_THAT(made["here_command"].get<std::string>(), StartsWith("bitpilot fleet add NAME "));
  Paste(made["authorize_command"].get<std::string>());
  Paste(add);
  EXPECT_TRUE(ReadFleetFile(home_ + "/fleet.toml").ok());
}

}  // namespace
}  // namespace bitpilot

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

  ProgramResult RunLine(const std::string& line) const {
    std::ofstream(folder_ / "line.sh") << "cd \"$1\" && { " << line << "; }\n";
    return RunProgram({"/bin/sh", folder_ / "line.sh", home_});
  }

  void Paste(const std::string& line) const {
    const ProgramResult shell = RunLine(line);
    EXPECT_EQ(shell.exit_code, 0) << line << '\n' << shell.err;
    EXPECT_EQ(shell.out + shell.err, "") << line;
  }

  // What `program` prints for scripts about new keys in `folder`.
  Json Keygen(std::vector<std::string> program, const std::string& folder) const {
    program[0] = ProgramPath(program[0]);
    program.insert(program.end(), {"--keys", home_ + "/" + folder, "--json"});
    const ProgramResult result = RunProgram(program);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return Json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  }
  std::string BeginFleet(const std::string& folder) const {
    return Keygen({"bitpilot", "fleet", "keygen"}, folder)["begin_fleet_command"];
  }
  std::string AddToFleet(const std::string& folder) const {
    return Keygen({"bitpilotd", "keygen"}, folder)["add_to_fleet_command"];
  }

  const TemporaryFolder folder_;
  const std::string home_;
};

TEST_F(KeygenProgramTest, PrintsLinesThatAShellTakesAsTheyAre) {
  const std::vector<std::string> agent = {ProgramPath("bitpilot"), "fleet", "keygen", "--keys",
                                          home_ + "/keys"};
  const std::vector<std::string> board = {ProgramPath("bitpilotd"), "keygen", "--keys",
                                          home_ + "/board-keys", "--force"};
  const ProgramResult made = RunProgram(board);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  Paste(LineWith("echo '" + HostNameAsListName() + " ", agent));
  const Result<AgentKeys> keys = ReadAgentKeys(home_ + "/keys");
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  EXPECT_EQ(*ReadTextFile(home_ + "/board-keys/authorized_agents"),
            HostNameAsListName() + " " + keys->public_key + "\n");

  // A list that is there is not begun anew.
  std::vector<std::string> again = agent;
  again.emplace_back("--force");
  const std::string begin = LineWith("touch fleet.toml", again);
  Paste(begin);
  Paste(LineWith(">> fleet.toml", board));
  Paste(begin);
  const Result<Fleet> fleet = ReadFleetFile(home_ + "/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  EXPECT_TRUE(ReadAgentKeys(fleet->keys_directory).ok()) << fleet->keys_directory;
  ASSERT_EQ(fleet->boards.size(), 1U);
  EXPECT_THAT(fleet->boards[0].name, StartsWith(HostNameAsListName() + "-"));
  EXPECT_EQ(fleet->boards[0].endpoint, "tcp://" + HostNameAsListName() + ":7777");
  EXPECT_EQ(fleet->boards[0].public_key + "\n", *ReadTextFile(home_ + "/board-keys/daemon.pub"));
}

// README's order: each side pastes when it comes to it.
TEST_F(KeygenProgramTest, PrintsLinesThatAreTakenInEitherOrder) {
  const std::string begin = BeginFleet("keys");
  const std::string add = AddToFleet("board-keys");
  std::vector<std::string> texts;
  for (const std::vector<std::string>& order :
       {std::vector<std::string>{begin, add}, {add, begin}, {add, begin, begin}}) {
    std::filesystem::remove(home_ + "/fleet.toml");
    for (const std::string& line : order) Paste(line);
    const Result<Fleet> fleet = ReadFleetFile(home_ + "/fleet.toml");
    ASSERT_TRUE(fleet.ok()) << fleet.status().message();
    EXPECT_EQ(fleet->boards.size(), 1U);
    EXPECT_TRUE(ReadAgentKeys(fleet->keys_directory).ok()) << fleet->keys_directory;
    texts.push_back(*ReadTextFile(home_ + "/fleet.toml"));
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(texts[0], texts[2]);
}

TEST_F(KeygenProgramTest, SaysThatTheFleetFileNamesOtherKeys) {
  Paste(BeginFleet("keys"));
  Paste(AddToFleet("board-keys"));
  const std::string before = *ReadTextFile(home_ + "/fleet.toml");
  const ProgramResult other = RunLine(BeginFleet("other-keys"));
  EXPECT_NE(other.exit_code, 0);
  EXPECT_THAT(other.err, HasSubstr("fleet.toml has another keys line"));
  EXPECT_THAT(other.err, HasSubstr("other-keys\""));
  EXPECT_EQ(*ReadTextFile(home_ + "/fleet.toml"), before);
}

// As of two boards with one image: only the endpoint is left to write, and the message says that.
TEST_F(KeygenProgramTest, NamesTwoBoardsOfOneHostNameApart) {
  Paste(BeginFleet("keys"));
  Paste(AddToFleet("board-keys"));
  std::string second = AddToFleet("second-board-keys");
  Paste(second);
  const Result<Fleet> refused = ReadFleetFile(home_ + "/fleet.toml");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("write the address at which each is reached"));

  std::filesystem::remove(home_ + "/fleet.toml");
  const std::string endpoint = "tcp://" + HostNameAsListName() + ":7777";
  second.replace(second.find(endpoint), endpoint.size(), "tcp://192.0.2.7:7777");
  Paste(AddToFleet("third-board-keys"));
  Paste(second);
  Paste(BeginFleet("fourth-keys"));
  const Result<Fleet> fleet = ReadFleetFile(home_ + "/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
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
  Paste(made["begin_fleet_command"].get<std::string>());
  Paste(made["authorize_command"].get<std::string>());
  Paste(add);
  EXPECT_TRUE(ReadFleetFile(home_ + "/fleet.toml").ok());
}

}  // namespace
}  // namespace bitpilot

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
using Json = nlohmann::json;

class KeygenProgramTest : public testing::Test {
 protected:
  // A folder whose name a shell would take apart, and TOML, too.
  KeygenProgramTest() : home_(folder_ / "it's \"my\" $HOME\\n") {
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

  void Paste(const std::string& line) const {
    std::ofstream(folder_ / "line.sh") << "cd \"$1\" && " << line << '\n';
    const ProgramResult shell = RunProgram({"/bin/sh", folder_ / "line.sh", home_});
    EXPECT_EQ(shell.exit_code, 0) << line << '\n' << shell.err;
    EXPECT_EQ(shell.out + shell.err, "") << line;
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
  const std::string begin = LineWith("> fleet.toml", again);
  Paste(begin);
  Paste(LineWith(">> fleet.toml", board));
  Paste(begin);
  const Result<Fleet> fleet = ReadFleetFile(home_ + "/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  EXPECT_TRUE(ReadAgentKeys(fleet->keys_directory).ok()) << fleet->keys_directory;
  ASSERT_EQ(fleet->boards.size(), 1U);
  EXPECT_EQ(fleet->boards[0].name, HostNameAsListName());
  EXPECT_EQ(fleet->boards[0].endpoint, "tcp://" + HostNameAsListName() + ":7777");
  EXPECT_EQ(fleet->boards[0].public_key + "\n", *ReadTextFile(home_ + "/board-keys/daemon.pub"));
}

TEST_F(KeygenProgramTest, GivesTheLinesToScripts) {
  const ProgramResult agent =
      RunProgram({ProgramPath("bitpilot"), "fleet", "keygen", "--keys", home_ + "/keys", "--json"});
  const Json made = Json::parse(agent.out);
  EXPECT_THAT(made["authorize_command"].get<std::string>(),
              HasSubstr(made["public_key"].get<std::string>()));
  const ProgramResult board =
      RunProgram({ProgramPath("bitpilotd"), "keygen", "--keys", home_ + "/board-keys", "--json"});
  Paste(made["begin_fleet_command"].get<std::string>());
  Paste(made["authorize_command"].get<std::string>());
  Paste(Json::parse(board.out)["add_to_fleet_command"].get<std::string>());
  EXPECT_TRUE(ReadFleetFile(home_ + "/fleet.toml").ok());
}

}  // namespace
}  // namespace bitpilot

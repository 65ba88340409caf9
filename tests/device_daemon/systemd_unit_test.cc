// The systemd unit: what it promises, by its text and by systemd's own judgement.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

const std::string kUnitPath =
    std::string(BITPILOT_SOURCE_DIR) + "/device_daemon/systemd/bitpilotd@.service";

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

// The [Service] section's settings; one that is given twice fails.
std::map<std::string, std::string> ServiceSettings() {
  std::map<std::string, std::string> settings;
  std::istringstream lines(TextOf(kUnitPath));
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '[') {
      section = line;
      continue;
    }
    const std::size_t equals = line.find('=');
    EXPECT_NE(equals, std::string::npos) << line;
    if (section != "[Service]") continue;
    EXPECT_TRUE(settings.emplace(line.substr(0, equals), line.substr(equals + 1)).second) << line;
  }
  return settings;
}

TEST(SystemdUnitTest, RunsAsItsOwnUserWithoutPrivilegesOrAnythingToWriteBesideItsFolder) {
  std::map<std::string, std::string> service = ServiceSettings();
  EXPECT_EQ(service["User"], "bitpilotd");
  EXPECT_EQ(service["NoNewPrivileges"], "yes");
  ASSERT_TRUE(service.contains("CapabilityBoundingSet"));
  EXPECT_EQ(service["CapabilityBoundingSet"], "");
  EXPECT_EQ(service["ProtectSystem"], "strict");
  EXPECT_EQ(service["ProtectHome"], "yes");
  EXPECT_EQ(service["PrivateTmp"], "yes");
  EXPECT_EQ(service["StateDirectory"], "bitpilotd/%i");
  EXPECT_EQ(service["ReadWritePaths"], "-/run/lock");
}

TEST(SystemdUnitTest, IsRestartedByTheWatchdogThatTheProtocolLoopFeeds) {
  std::map<std::string, std::string> service = ServiceSettings();
  EXPECT_EQ(service["Type"], "notify");
  EXPECT_EQ(service["WatchdogSec"], "15");
  EXPECT_EQ(service["Restart"], "on-failure");  // Which a watchdog's end is.
}

// The daemon must be able to do what it does: ZeroMQ's sockets, and addresses of names.
TEST(SystemdUnitTest, AllowsTheAddressesThatTheDaemonUses) {
  EXPECT_EQ(ServiceSettings()["RestrictAddressFamilies"], "AF_INET AF_INET6 AF_UNIX AF_NETLINK");
}

TEST(SystemdUnitTest, StartsTheDaemonWithFlagsThatItHas) {
  std::map<std::string, std::string> service = ServiceSettings();
  const std::string command = service["ExecStart"];
  EXPECT_TRUE(command.starts_with("/usr/bin/bitpilotd serve --keys /etc/bitpilotd/%i ")) << command;
  const std::string main_source =
      TextOf(std::string(BITPILOT_SOURCE_DIR) + "/device_daemon/main.cc");
  std::istringstream words(command + " " + service["Environment"]);
  for (std::string word; words >> word;) {
    const std::size_t flag = word.find("--");
    if (flag == std::string::npos) continue;
    EXPECT_NE(main_source.find("serve->add_option(\"" + word.substr(flag) + "\""),
              std::string::npos)
        << word;
  }
}

// Boards of one machine: each has keys, a store and flags of its own.
TEST(SystemdUnitTest, GivesEachBoardItsOwnKeysStoreAndFlags) {
  std::map<std::string, std::string> service = ServiceSettings();
  EXPECT_NE(service["ExecStart"].find(" --store /var/lib/bitpilotd/%i "), std::string::npos);
  EXPECT_TRUE(service["ExecStart"].ends_with(" $BITPILOTD_FLAGS")) << service["ExecStart"];
  EXPECT_EQ(service["Environment"], "\"BITPILOTD_FLAGS=--listen tcp://0.0.0.0:7777\"");
  EXPECT_EQ(service["EnvironmentFile"], "-/etc/bitpilotd/%i/flags");
}

// systemd reads the unit: unknown or wrong settings are lines on its standard error. The program and
// the user are not installed where tests run.
TEST(SystemdUnitTest, IsAUnitToSystemd) {
  if (std::system("command -v systemd-analyze > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "systemd-analyze is not installed: systemd itself did not read the unit";
  }
  const TemporaryFolder folder;
  std::string unit = TextOf(kUnitPath);
  const std::string program = "/usr/bin/bitpilotd";
  unit.replace(unit.find(program), program.size(), "/bin/true");
  std::ofstream(folder / "bitpilotd@board.service") << unit;
  const std::string command = "systemd-analyze verify --man=no '" +
                              (folder / "bitpilotd@board.service") + "' > '" + (folder / "said") +
                              "' 2>&1";
  const int status = std::system(command.c_str());
  const std::string said = TextOf(folder / "said");
  if (said.find("Failed to initialize manager") != std::string::npos) {
    GTEST_SKIP() << "systemd-analyze does not work here: " << said;
  }
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(line.find("bitpilotd@board.service"), std::string::npos) << line;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0) << said;
}

}  // namespace
}  // namespace bitpilot

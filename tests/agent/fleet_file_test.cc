#include "agent/fleet/fleet_file.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace bitpilot {
namespace {

const std::string kKey(40, 'k');

std::string Board(const std::string& name, const std::string& endpoint,
                  const std::string& key = kKey) {
  return "[[board]]\nname = \"" + name + "\"\nendpoint = \"" + endpoint + "\"\npublic_key = \"" +
         key + "\"\n";
}

void ExpectError(const std::string& text, const std::string& place, const std::string& about) {
  const Result<Fleet> fleet = ParseFleetFile(text, "lab/fleet.toml");
  ASSERT_FALSE(fleet.ok());
  EXPECT_EQ(fleet.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(fleet.status().message().rfind(place, 0), 0U) << fleet.status().message();
  EXPECT_NE(fleet.status().message().find(about), std::string::npos) << fleet.status().message();
}

TEST(ParseFleetFileTest, ReadsBoardsInOrder) {
  const Result<Fleet> fleet =
      ParseFleetFile("keys = \"mine\"\n" + Board("rpi5-a", "tcp://192.0.2.7:7777") +
                         Board("rpi5-b", "tcp://[2001:db8::7]:7777"),
                     "lab/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  EXPECT_EQ(fleet->keys_directory, "lab/mine");
  ASSERT_EQ(fleet->boards.size(), 2U);
  EXPECT_EQ(fleet->boards[0].name, "rpi5-a");
  EXPECT_EQ(fleet->boards[0].endpoint, "tcp://192.0.2.7:7777");
  EXPECT_EQ(fleet->boards[0].public_key, kKey);
  EXPECT_EQ(fleet->boards[1].name, "rpi5-b");
}

TEST(ParseFleetFileTest, ReadsClassesAndThePowerCycleOfABoard) {
  const Result<Fleet> fleet = ParseFleetFile(
      "keys = \"mine\"\n" + Board("rpi5-a", "tcp://192.0.2.7:7777") +
          "tags = [\"pi5\", \"lab\", \"pi5\"]\npower_cycle = \"usb-power rpi5-a\"\n" +
          Board("rpi5-b", "tcp://192.0.2.8:7777"),
      "lab/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  EXPECT_EQ(fleet->boards[0].tags, (std::vector<std::string>{"pi5", "lab"}));
  EXPECT_EQ(fleet->boards[0].power_cycle, "usb-power rpi5-a");
  EXPECT_TRUE(fleet->boards[1].tags.empty());
  EXPECT_TRUE(fleet->boards[1].power_cycle.empty());
}

// A board that connects to the agent.
std::string ConnectingBoard(const std::string& name, const std::string& key) {
  return "[[board]]\nname = \"" + name + "\"\nconnects = true\npublic_key = \"" + key + "\"\n";
}

TEST(ParseFleetFileTest, ReadsBoardsThatConnectToTheAgent) {
  const Result<Fleet> fleet = ParseFleetFile(
      "keys = \"k\"\nlisten = \"tcp://0.0.0.0:7776\"\n" + ConnectingBoard("a", kKey) +
          ConnectingBoard("b", std::string(40, 'o')) + Board("c", "tcp://192.0.2.7:7777"),
      "lab/fleet.toml");
  ASSERT_TRUE(fleet.ok()) << fleet.status().message();
  EXPECT_EQ(fleet->listen, "tcp://0.0.0.0:7776");
  EXPECT_TRUE(fleet->boards[0].connects);
  EXPECT_EQ(fleet->boards[0].endpoint, "tcp://0.0.0.0:7776");
  EXPECT_EQ(fleet->boards[1].listed_at, "lab/fleet.toml:9");
  EXPECT_FALSE(fleet->boards[2].connects);
  EXPECT_TRUE(CheckHost(fleet->boards[0]).ok());
}

TEST(ParseFleetFileTest, NamesWhatABoardThatConnectsLacks) {
  const std::string keys = "keys = \"k\"\n";
  const std::string listen = "listen = \"tcp://0.0.0.0:7776\"\n";
  const std::string one = ConnectingBoard("a", kKey);
  ExpectError(keys + one, "lab/fleet.toml:4:", "listen = \"tcp://0.0.0.0:7776\"");
  ExpectError(keys + "listen = \"tcp://0.0.0.0:0\"\n" + one, "lab/fleet.toml:2:", "above 0");
  ExpectError(keys + "listen = \"7776\"\n" + one, "lab/fleet.toml:2:", "'listen'");
  ExpectError(keys + listen + one + "endpoint = \"tcp://192.0.2.7:7\"\n",
              "lab/fleet.toml:7:", "it has no 'endpoint'");
  ExpectError(keys + listen + "[[board]]\nname = \"a\"\nconnects = \"yes\"\n",
              "lab/fleet.toml:5:", "true or false");
  ExpectError(keys + listen + one + ConnectingBoard("b", kKey),
              "lab/fleet.toml:7:", "has the public_key of 'a'");
  ExpectError(keys + one + listen, "lab/fleet.toml:6:", "'listen' stands before");
}

TEST(ParseFleetFileTest, KeepsAnAbsoluteKeyFolder) {
  const Result<Fleet> fleet = ParseFleetFile(
      "keys = \"/etc/bitpilot\"\n" + Board("a", "tcp://127.0.0.1:1"), "lab/fleet.toml");
  ASSERT_TRUE(fleet.ok());
  EXPECT_EQ(fleet->keys_directory, "/etc/bitpilot");
}

TEST(ParseFleetFileTest, NamesTheLineOfEveryMistake) {
  const std::string keys = "keys = \"k\"\n";
  const std::string good = Board("a", "tcp://127.0.0.1:1");
  ExpectError("keys = \n", "lab/fleet.toml:1:", "TOML");
  ExpectError("keys = /keys\n", "lab/fleet.toml:1:", "Texts stand in double quotes");
  ExpectError("board = [[a]]\n", "lab/fleet.toml:1:", "`bitpilotd keygen`");
  ExpectError(good + keys, "lab/fleet.toml:5:", "'keys' stands before the first [[board]]");
  ExpectError(good, "lab/fleet.toml:", "`bitpilot fleet keygen`");
  ExpectError("", "lab/fleet.toml:", "keys");
  ExpectError(keys, "lab/fleet.toml:", "no [[board]]");
  ExpectError(keys + "board = []\n", "lab/fleet.toml:2:", "[[board]]");
  ExpectError(keys + "board = 3\n", "lab/fleet.toml:2:", "[[board]]");
  ExpectError("keys = 3\n" + good, "lab/fleet.toml:1:", "'keys'");
  ExpectError(keys + "colour = 1\n" + good, "lab/fleet.toml:2:", "unknown key 'colour'");
  ExpectError(keys + good + "secret = \"x\"\n", "lab/fleet.toml:6:", "unknown key 'secret'");
  ExpectError(keys + "[[board]]\nname = \"a\"\n", "lab/fleet.toml:2:", "'endpoint' is missing");
  ExpectError(keys + Board("a b", "tcp://127.0.0.1:1"), "lab/fleet.toml:3:", "'name'");
  ExpectError(keys + Board("", "tcp://127.0.0.1:1"), "lab/fleet.toml:3:", "'name'");
  ExpectError(keys + Board("a", "192.0.2.7:7777"), "lab/fleet.toml:4:", "'endpoint'");
  ExpectError(keys + Board("a", "tcp://192.0.2.7"), "lab/fleet.toml:4:", "'endpoint'");
  ExpectError(keys + Board("a", "tcp://192.0.2.7:65536"), "lab/fleet.toml:4:", "65535");
  ExpectError(keys + Board("a", "tcp://192.0.2.7:0"), "lab/fleet.toml:4:", "board 'a'");
  ExpectError(keys + Board("a", "tcp://::1:7777"), "lab/fleet.toml:4:", "brackets");
  ExpectError(keys + Board("a", "tcp://192.0.2.7:7", "short"),
              "lab/fleet.toml:5:", "40 characters");
  ExpectError(keys + good + "tags = \"pi5\"\n", "lab/fleet.toml:6:", "'tags' is a list of names");
  ExpectError(keys + good + "tags = [\"pi 5\"]\n", "lab/fleet.toml:6:", "letters, digits");
  ExpectError(keys + good + "power_cycle = \"\"\n", "lab/fleet.toml:6:", "'power_cycle'");
  ExpectError(keys + good + Board("a", "tcp://127.0.0.1:2"),
              "lab/fleet.toml:6:", "'a' has the name of another (lab/fleet.toml:4)");
  ExpectError(keys + good + Board("b", "tcp://127.0.0.1:1"), "lab/fleet.toml:6:",
              "'b' has the endpoint of 'a', tcp://127.0.0.1:1 (lab/fleet.toml:4)");
}

TEST(ParseFleetFileTest, SaysHowTwoBoardsOfOneNameOrPlaceGetAlong) {
  const std::string first = "keys = \"k\"\n" + Board("pi", "tcp://pi:7777");
  const std::string other_key(40, 'o');
  ExpectError(first + Board("pi-2", "tcp://pi:7777", other_key),
              "lab/fleet.toml:6:", "write the address at which each is reached");
  ExpectError(first + Board("pi", "tcp://192.0.2.7:7777", other_key),
              "lab/fleet.toml:6:", "write another 'name' for one");
  ExpectError(first + Board("pi", "tcp://pi:7777", other_key),
              "lab/fleet.toml:6:", "one board with new keys, remove the earlier one");
  ExpectError(first + Board("pi", "tcp://pi:7777"), "lab/fleet.toml:6:", "remove one of the two");
  EXPECT_TRUE(
      ParseFleetFile(first + Board("pi-2", "tcp://192.0.2.7:7777", other_key), "lab/fleet.toml")
          .ok());
}

TEST(ParseFleetFileTest, ExpandsATildeInTheKeyFolder) {
  const char* home = std::getenv("HOME");
  if (home == nullptr) GTEST_SKIP() << "HOME is not set";
  const Result<Fleet> fleet = ParseFleetFile(
      "keys = \"~/bitpilot/keys\"\n" + Board("a", "tcp://127.0.0.1:1"), "lab/fleet.toml");
  ASSERT_TRUE(fleet.ok());
  EXPECT_EQ(fleet->keys_directory, std::string(home) + "/bitpilot/keys");
}

TEST(CheckHostTest, NamesFileLineAndBoardOfAnUnknownHost) {
  const Result<Fleet> fleet = ParseFleetFile(
      "keys = \"k\"\n" + Board("a", "tcp://no-such-board.invalid:7"), "lab/fleet.toml");
  ASSERT_TRUE(fleet.ok());
  const Status status = CheckHost(fleet->boards[0]);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.message().find("lab/fleet.toml:4: board 'a': "), 0U) << status.message();
  EXPECT_NE(status.message().find("'no-such-board.invalid'"), std::string::npos);
}

TEST(CheckHostTest, TakesAddressesAndNamesThatAreKnown) {
  for (const char* endpoint : {"tcp://127.0.0.1:7", "tcp://[::1]:7", "tcp://localhost:7"}) {
    const Result<Fleet> fleet =
        ParseFleetFile("keys = \"k\"\n" + Board("a", endpoint), "lab/fleet.toml");
    ASSERT_TRUE(fleet.ok());
    EXPECT_EQ(CheckHost(fleet->boards[0]).message(), "") << endpoint;
  }
}

TEST(ReadFleetFileTest, ReadsAFileThatBeginsWithAByteOrderMark) {
  const std::string path = testing::TempDir() + "marked_fleet.toml";
  std::ofstream(path) << "\xef\xbb\xbfkeys = \"k\"\n" << Board("a", "tcp://127.0.0.1:1");
  const Result<Fleet> fleet = ReadFleetFile(path);
  EXPECT_TRUE(fleet.ok()) << fleet.status().message();
  std::remove(path.c_str());
}

TEST(ReadFleetFileTest, NamesAMissingFileAndSaysWhatBeginsOne) {
  const Result<Fleet> fleet = ReadFleetFile("/nonexistent/fleet.toml");
  EXPECT_EQ(fleet.status().code(), StatusCode::kNotFound);
  EXPECT_NE(fleet.status().message().find("/nonexistent/fleet.toml"), std::string::npos);
  EXPECT_NE(fleet.status().message().find("bitpilot fleet add"), std::string::npos);
}

}  // namespace
}  // namespace bitpilot

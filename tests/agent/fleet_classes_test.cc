// Which boards of a fleet file a search measures on.
#include "agent/session/fleet_classes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "agent/fleet/keys.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FleetClassesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CreateAgentKeys(folder_.Path("keys"), false).ok());
    config_.device.clear();
    config_.fleet = folder_.Path("fleet.toml");
  }
  void WriteBoards(const std::vector<std::string>& tags) {
    std::string text = "keys = \"keys\"\n";
    for (std::size_t i = 0; i < tags.size(); ++i) {
      const std::string number = std::to_string(i);
      text += "[[board]]\nname = \"board-" + number + "\"\nendpoint = \"tcp://127.0.0.1:1" +
              number + "\"\npublic_key = \"" + std::string(40, static_cast<char>('a' + i)) +
              "\"\ntags = [" + tags[i] + "]\n";
    }
    WriteBytes(config_.fleet, text);
  }

  StudyFolder folder_;
  SearchConfig config_;
};

TEST_F(FleetClassesTest, AreTheBoardsWithTheTagsAlone) {
  WriteBoards({"\"pi5\", \"lab\"", "\"lab\"", "\"pi5\", \"n2\""});
  config_.classes = {"n2", "pi5"};
  const auto classes = ValueOrDie(FleetClassesOf(config_));
  ASSERT_TRUE(classes);
  ASSERT_EQ(classes->boards.size(), 2U);
  EXPECT_EQ(classes->boards[0].name, "board-0");
  EXPECT_THAT(classes->boards[0].tags, ElementsAre("pi5"));
  EXPECT_THAT(classes->boards[1].tags, ElementsAre("pi5", "n2"));
}

TEST_F(FleetClassesTest, AllBoardsAreOneClassUnlessOneIsNamed) {
  WriteBoards({"", "\"lab\""});
  const auto classes = ValueOrDie(FleetClassesOf(config_));
  ASSERT_TRUE(classes);
  EXPECT_EQ(classes->boards.size(), 2U);
  EXPECT_EQ(classes->boards[0].tags, ClassesOf(config_));
  config_.board = "board-1";
  EXPECT_FALSE(ValueOrDie(FleetClassesOf(config_))) << "the one that it names";
  config_.board.clear();
  WriteBoards({""});
  EXPECT_FALSE(ValueOrDie(FleetClassesOf(config_))) << "the only one";
}

TEST_F(FleetClassesTest, AClassWithoutABoardIsNamedWithTheTagsThatThereAre) {
  WriteBoards({"\"pi5\"", "\"lab\""});
  config_.classes = {"pi4"};
  const auto classes = FleetClassesOf(config_);
  ASSERT_FALSE(classes.ok());
  EXPECT_THAT(classes.status().message(), HasSubstr("--class 'pi4'"));
  EXPECT_THAT(classes.status().message(), HasSubstr("only: lab, pi5"));
}

TEST_F(FleetClassesTest, AnObjectiveIsOneOfTheClasses) {
  config_.classes = {"pi5", "n2"};
  config_.objective = "n2";
  EXPECT_TRUE(ValidateSearchConfig(config_).ok());
  config_.objective = "pi4";
  EXPECT_THAT(ValidateSearchConfig(config_).message(), HasSubstr("pi5, n2"));
  config_.objective = "mean";
  config_.classes = {"pi5", "pi5"};
  EXPECT_THAT(ValidateSearchConfig(config_).message(), HasSubstr("given twice"));
}

TEST_F(FleetClassesTest, SaysWhichBoardsAClassHasAndWhetherTheyMeasure) {
  WriteBoards({"\"a\"", "\"a\", \"b\"", "\"b\""});
  config_.classes = {"a", "b"};
  const FleetClasses fleet = *ValueOrDie(FleetClassesOf(config_));
  BoardInfo board;
  board.backend = "kernels";
  board.cpu_model = "Example CPU";
  board.isa = "avx2";
  EXPECT_EQ(DescribeClass(fleet, "a", board), "class 'a': board-0, board-1 (Example CPU, avx2)");
  board.backend = "model:mpic";
  EXPECT_THAT(DescribeClass(fleet, "b", board),
              HasSubstr("class 'b': board-1, board-2 (MODEL: the table model:mpic answers"));
  config_.classes.clear();
  EXPECT_THAT(DescribeClass(*ValueOrDie(FleetClassesOf(config_)), kOnlyClass, board),
              HasSubstr("this fleet: board-0, board-1, board-2 ("));
}

}  // namespace
}  // namespace bitpilot

// What many boards have to say at once.
#include "agent/fleet/notice_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

fleet::Notice Of(int board, const std::string& group = "work for other agents") {
  const std::string name = "b" + std::to_string(board);
  return {"board '" + name + "' is leased", group, name};
}

TEST(NoticeGroupsTest, FortyHeldBoardsAreOneNoteForPeopleAndFortyForALog) {
  NoticeGroups groups;
  for (int board = 1; board <= 40; ++board) groups.Add(Of(board), Instant(10 * board));
  EXPECT_THAT(groups.Take(Instant(1'000)), IsEmpty()) << "others may follow";
  const std::vector<NoticeGroups::Told> told = groups.Take(Instant(1'010));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].summary,
            "40 boards work for other agents: 'b1', 'b2', 'b3' and 37 more; the first: board 'b1' "
            "is leased");
  ASSERT_EQ(told[0].texts.size(), 40U);
  EXPECT_EQ(told[0].texts[39], "board 'b40' is leased");
  EXPECT_THAT(groups.Take(Instant(9'000)), IsEmpty()) << "once";
}

TEST(NoticeGroupsTest, TwoBoardsAreTwoNotes) {
  NoticeGroups groups;
  groups.Add(Of(1), Instant(0));
  groups.Add(Of(2), Instant(0));
  const std::vector<NoticeGroups::Told> told = groups.Take(Instant(1'000));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].summary, "");
  EXPECT_THAT(told[0].texts, ElementsAre("board 'b1' is leased", "board 'b2' is leased"));
}

TEST(NoticeGroupsTest, WhatHasNoGroupIsToldAtOnceAndByItself) {
  NoticeGroups groups;
  groups.Add(Of(1), Instant(0));
  for (int i = 0; i < 3; ++i) groups.Add({"this fleet has a board again"}, Instant(0));
  const std::vector<NoticeGroups::Told> told = groups.Take(Instant(0));
  ASSERT_EQ(told.size(), 3U);
  EXPECT_THAT(told[2].texts, ElementsAre("this fleet has a board again"));
  EXPECT_EQ(groups.Take(Instant(0), /*all=*/true).size(), 1U);
}

TEST(NoticeGroupsTest, GroupsAreToldApart) {
  NoticeGroups groups;
  for (int board = 1; board <= 3; ++board) {
    groups.Add(Of(board), Instant(0));
    groups.Add(Of(board, "are back"), Instant(0));
  }
  const std::vector<NoticeGroups::Told> told = groups.Take(Instant(1'000));
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].summary,
            "3 boards are back: 'b1', 'b2', 'b3'; the first: board 'b1' is leased");
}

}  // namespace
}  // namespace bitpilot

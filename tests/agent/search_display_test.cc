// What a running search draws.
#include "agent/cli/search_display.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "policies/transition.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

class SearchDisplayTest : public testing::Test {
 protected:
  SearchDisplayTest() { problem_.uniform8.latency_ns = 1000.0; }

  // What standard error gets of a step that was measured, or for which there was no board.
  std::string Step(SearchDisplay& display, int step, bool is_measured) const {
    ProposalEvent proposal;
    proposal.step = step;
    TransitionEvent answer;
    answer.classes = {{"a", BoardUnavailable{"unplugged", 0.5}}};
    answer.transition.status = TransitionStatus::kUnavailable;
    if (is_measured) {
      answer.classes = {{"a", Measured{.ratio = 0.5}}};
      answer.transition.status = TransitionStatus::kMeasured;
      answer.transition.latency_ns = 500.0;
    }
    testing::internal::CaptureStderr();
    display.OnStep(problem_, proposal, answer, 0.25);
    return testing::internal::GetCapturedStderr();
  }

  SearchProblem problem_;
};

TEST_F(SearchDisplayTest, WhatNoBoardMeasuredIsNoProgress) {
  SearchDisplay display(/*json=*/false);
  testing::internal::CaptureStderr();
  display.OnPhase("searching", 2);
  testing::internal::GetCapturedStderr();
  EXPECT_THAT(Step(display, 0, /*is_measured=*/false), HasSubstr(" 0/2 "));
  EXPECT_THAT(Step(display, 1, /*is_measured=*/true), HasSubstr(" 1/2 "));
  EXPECT_THAT(Step(display, 2, /*is_measured=*/true), HasSubstr(" 2/2 "));
}

// Earlier steps of a study that goes on, some without a board.
TEST_F(SearchDisplayTest, NeverShowsMoreThanThereIs) {
  SearchDisplay display(/*json=*/false);
  testing::internal::CaptureStderr();
  display.OnPhase("searching", 2);
  display.OnNotice("one\ntwo \x1b[31m");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("note: one two  [31m\n"));
  EXPECT_THAT(Step(display, 7, /*is_measured=*/true), HasSubstr(" 2/2 "));
}

// What a note said of many boards in one line.
TEST_F(SearchDisplayTest, ShowsDetailsToProgramsAlone) {
  for (const bool json : {false, true}) {
    SearchDisplay display(json);
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    display.OnDetail("board 'b7' is leased");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(testing::internal::GetCapturedStdout(),
              json ? "{\"text\":\"board 'b7' is leased\",\"type\":\"notice\"}\n" : "");
  }
}

}  // namespace
}  // namespace bitpilot

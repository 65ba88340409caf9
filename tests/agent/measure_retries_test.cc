#include "agent/fleet/measure_retries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using What = RetryVerdict::What;

class MeasureRetriesTest : public testing::Test {
 protected:
  // A board that answers with one status after the other, the last one for ever, until a verdict
  // ends the measurement. Returns that verdict; `last_` is the status before it.
  RetryVerdict Measure(std::deque<MeasureStatus> answers, OtherBoards others = OtherBoards::kNone) {
    MeasureRetries retries(options_);
    attempts_.clear();
    num_asked_ = 0;
    for (;;) {
      Measurement measurement;
      measurement.status = last_ = answers.front();
      measurement.detail = "as the board says";
      if (answers.size() > 1) answers.pop_front();
      ++num_asked_;
      const RetryVerdict verdict = retries.After(measurement, "bench", others, now_);
      if (!verdict.notice.empty()) notices_.push_back(verdict.notice);
      const bool is_over = verdict.what == What::kAnswer || verdict.what == What::kGiveUp ||
                           verdict.what == What::kLeave;
      if (is_over) return verdict;
      attempts_.push_back(verdict.again);
      was_sent_elsewhere_ = verdict.what == What::kElsewhere;
      now_ += verdict.pause;
    }
  }

  RetryOptions options_;
  Instant now_{5'000};
  MeasureStatus last_ = MeasureStatus::kOk;
  int num_asked_ = 0;
  bool was_sent_elsewhere_ = false;
  std::vector<Attempt> attempts_;  // after the first
  std::vector<std::string> notices_;
};

TEST_F(MeasureRetriesTest, AsksOnceForWhatIsAnAnswer) {
  for (const MeasureStatus status :
       {MeasureStatus::kOk, MeasureStatus::kNoisy, MeasureStatus::kUnsupported,
        MeasureStatus::kRejected, MeasureStatus::kWrongOutput}) {
    EXPECT_EQ(Measure({status}).what, What::kAnswer);
    EXPECT_EQ(num_asked_, 1) << ToString(status);
  }
}

TEST_F(MeasureRetriesTest, AsksASecondBoardWhetherAnOutputIsWrong) {
  const MeasureStatus wrong = MeasureStatus::kWrongOutput;
  EXPECT_EQ(Measure({wrong, MeasureStatus::kOk}, OtherBoards::kNow).what, What::kAnswer);
  EXPECT_TRUE(was_sent_elsewhere_);
  EXPECT_EQ(last_, MeasureStatus::kOk);
  EXPECT_EQ(Measure({wrong}, OtherBoards::kNow).what, What::kAnswer);
  EXPECT_EQ(last_, wrong);
  EXPECT_EQ(num_asked_, 2);
}

TEST_F(MeasureRetriesTest, GivesACrashASecondChanceAndThenTakesItForTheCandidates) {
  for (const MeasureStatus status : {MeasureStatus::kCrash, MeasureStatus::kOutOfMemory}) {
    EXPECT_EQ(Measure({status, MeasureStatus::kOk}).what, What::kAnswer);
    EXPECT_EQ(last_, MeasureStatus::kOk);
    EXPECT_THAT(attempts_, ElementsAre(Attempt::kAnother));
    EXPECT_EQ(Measure({status}).what, What::kAnswer);
    EXPECT_EQ(last_, status);
    EXPECT_EQ(num_asked_, 2);
  }
}

TEST_F(MeasureRetriesTest, TakesAWorkerThatHangsThreeTimesForTheCandidates) {
  const MeasureStatus hang = MeasureStatus::kTimedOut;
  EXPECT_EQ(Measure({hang, hang, MeasureStatus::kNoisy}).what, What::kAnswer);
  EXPECT_EQ(last_, MeasureStatus::kNoisy);
  EXPECT_EQ(Measure({hang}).what, What::kAnswer);
  EXPECT_EQ(num_asked_, 3);
}

TEST_F(MeasureRetriesTest, NeverTakesALostBoardForAPropertyOfTheCandidate) {
  const MeasureStatus lost = MeasureStatus::kLost;
  EXPECT_EQ(Measure({lost, lost, MeasureStatus::kOk}).what, What::kAnswer);
  EXPECT_THAT(attempts_, ElementsAre(Attempt::kSame, Attempt::kSame));
  for (const MeasureStatus status :
       {lost, MeasureStatus::kCancelled, MeasureStatus::kProtocolError}) {
    const RetryVerdict gone = Measure({status});
    EXPECT_EQ(gone.what, What::kGiveUp);
    EXPECT_EQ(gone.failure.code(), StatusCode::kUnavailable);
    EXPECT_THAT(gone.failure.message(), HasSubstr("'bench'"));
    EXPECT_THAT(gone.failure.message(), HasSubstr("as the board says"));
  }
}

TEST_F(MeasureRetriesTest, LeavesABoardThatFailsByItsOwnFaultAsLongAsAnotherIsLeft) {
  for (const OtherBoards others : {OtherBoards::kLater, OtherBoards::kNow}) {
    for (const MeasureStatus status :
         {MeasureStatus::kLost, MeasureStatus::kCancelled, MeasureStatus::kProtocolError,
          MeasureStatus::kThermalAbort, MeasureStatus::kPowerAbort}) {
      notices_.clear();
      const RetryVerdict left = Measure({status}, others);
      EXPECT_EQ(left.what, What::kLeave) << ToString(status);
      EXPECT_THAT(notices_.back(), HasSubstr("'bench'"));
      EXPECT_THAT(notices_.back(), HasSubstr("another board is asked"));
    }
  }
}

TEST_F(MeasureRetriesTest, CountsTheFailuresOfEachBoardApart) {
  MeasureRetries retries(options_);
  Measurement lost;
  for (const char* board : {"a", "b", "c", "a", "b", "c"}) {
    EXPECT_EQ(retries.After(lost, board, OtherBoards::kNow, now_).what, What::kAgain) << board;
  }
  EXPECT_EQ(retries.After(lost, "b", OtherBoards::kNow, now_).what, What::kLeave);
  Measurement crash;
  crash.status = MeasureStatus::kCrash;
  EXPECT_EQ(retries.After(crash, "a", OtherBoards::kNow, now_).what, What::kAgain);
  EXPECT_EQ(retries.After(crash, "c", OtherBoards::kNow, now_).what, What::kAnswer)
      << "the candidate's, wherever it was";
}

TEST_F(MeasureRetriesTest, WaitsUntilAHotBoardIsFit) {
  std::deque<MeasureStatus> answers(100, MeasureStatus::kThermalAbort);
  answers.insert(answers.end(), 50, MeasureStatus::kPowerAbort);
  answers.push_back(MeasureStatus::kOk);
  EXPECT_EQ(Measure(answers).what, What::kAnswer);
  EXPECT_EQ(num_asked_, 151);
  EXPECT_EQ(now_, Instant{5'000} + 150 * options_.unfit_pause);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr("THERMAL_ABORT: as the board says"));
  EXPECT_THAT(notices_[0], HasSubstr("up to 30 min"));
}

TEST_F(MeasureRetriesTest, GivesUpOnABoardThatStaysHot) {
  const RetryVerdict hot = Measure({MeasureStatus::kThermalAbort});
  EXPECT_EQ(hot.failure.code(), StatusCode::kUnavailable);
  EXPECT_THAT(hot.failure.message(), HasSubstr("30 min"));
  EXPECT_EQ(now_, Instant{5'000} + options_.unfit_wait);
}

}  // namespace
}  // namespace bitpilot

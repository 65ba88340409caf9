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

class MeasureRetriesTest : public testing::Test {
 protected:
  MeasureRetriesTest() {
    options_.board_name = "bench";
    options_.now = [this] { return now_; };
    options_.pause = [this](milliseconds time) {
      now_ += time;
      return pause_status_;
    };
    options_.notice = [this](const std::string& text) { notices_.push_back(text); };
  }

  // A board that answers with one status after the other; the last one for ever.
  Result<Measurement> Measure(std::deque<MeasureStatus> answers) {
    attempts_.clear();
    const auto measure = [&](Attempt attempt) -> Result<Measurement> {
      attempts_.push_back(attempt);
      Measurement measurement;
      measurement.status = answers.front();
      measurement.detail = "as the board says";
      if (answers.size() > 1) answers.pop_front();
      return measurement;
    };
    return MeasureWithRetries(measure, options_);
  }

  RetryOptions options_;
  Instant now_{5'000};
  Status pause_status_;
  std::vector<Attempt> attempts_;
  std::vector<std::string> notices_;
};

TEST_F(MeasureRetriesTest, AsksOnceForWhatIsAnAnswer) {
  for (const MeasureStatus status :
       {MeasureStatus::kOk, MeasureStatus::kNoisy, MeasureStatus::kUnsupported,
        MeasureStatus::kRejected, MeasureStatus::kWrongOutput}) {
    const Result<Measurement> answer = Measure({status});
    ASSERT_TRUE(answer.ok()) << answer.status().message();
    EXPECT_EQ(answer->status, status);
    EXPECT_THAT(attempts_, ElementsAre(Attempt::kFirst));
  }
}

TEST_F(MeasureRetriesTest, GivesACrashASecondChanceAndThenTakesItForTheCandidates) {
  for (const MeasureStatus status : {MeasureStatus::kCrash, MeasureStatus::kOutOfMemory}) {
    EXPECT_EQ(Measure({status, MeasureStatus::kOk})->status, MeasureStatus::kOk);
    EXPECT_THAT(attempts_, ElementsAre(Attempt::kFirst, Attempt::kAnother));
    EXPECT_EQ(Measure({status})->status, status);
    EXPECT_EQ(attempts_.size(), 2U);
  }
}

TEST_F(MeasureRetriesTest, TakesAWorkerThatHangsThreeTimesForTheCandidates) {
  const MeasureStatus hang = MeasureStatus::kTimedOut;
  EXPECT_EQ(Measure({hang, hang, MeasureStatus::kNoisy})->status, MeasureStatus::kNoisy);
  EXPECT_EQ(Measure({hang})->status, hang);
  EXPECT_EQ(attempts_.size(), 3U);
}

TEST_F(MeasureRetriesTest, NeverTakesALostBoardForAPropertyOfTheCandidate) {
  const MeasureStatus lost = MeasureStatus::kLost;
  EXPECT_EQ(Measure({lost, lost, MeasureStatus::kOk})->status, MeasureStatus::kOk);
  EXPECT_THAT(attempts_, ElementsAre(Attempt::kFirst, Attempt::kSame, Attempt::kSame));
  for (const MeasureStatus status :
       {lost, MeasureStatus::kCancelled, MeasureStatus::kProtocolError}) {
    const Result<Measurement> gone = Measure({status});
    EXPECT_EQ(gone.status().code(), StatusCode::kUnavailable);
    EXPECT_THAT(gone.status().message(), HasSubstr("'bench'"));
    EXPECT_THAT(gone.status().message(), HasSubstr("as the board says"));
  }
}

TEST_F(MeasureRetriesTest, WaitsUntilAHotBoardIsFit) {
  std::deque<MeasureStatus> answers(100, MeasureStatus::kThermalAbort);
  answers.insert(answers.end(), 50, MeasureStatus::kPowerAbort);
  answers.push_back(MeasureStatus::kOk);
  EXPECT_EQ(Measure(answers)->status, MeasureStatus::kOk);
  EXPECT_EQ(attempts_.size(), 151U);
  EXPECT_EQ(now_, Instant{5'000} + 150 * options_.unfit_pause);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr("THERMAL_ABORT: as the board says"));
  EXPECT_THAT(notices_[0], HasSubstr("up to 30 min"));
}

TEST_F(MeasureRetriesTest, GivesUpOnABoardThatStaysHot) {
  const Result<Measurement> hot = Measure({MeasureStatus::kThermalAbort});
  EXPECT_EQ(hot.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(hot.status().message(), HasSubstr("30 min"));
  EXPECT_EQ(now_, Instant{5'000} + options_.unfit_wait);
}

TEST_F(MeasureRetriesTest, EndsTheWaitWhenTheUserStops) {
  pause_status_ = {StatusCode::kAborted, "stopped"};
  EXPECT_EQ(Measure({MeasureStatus::kPowerAbort}).status().code(), StatusCode::kAborted);
}

}  // namespace
}  // namespace bitpilot

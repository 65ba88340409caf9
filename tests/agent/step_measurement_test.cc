// Which of a step's measurements counts.
#include "agent/session/step_measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "agent/session/repeat_budget.h"
#include "agent/study/step_ids.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Windows of 100 us that scatter by +-`scatter`, beside steady ones of uniform 8 bit.
StepRows Measured(const std::string& id, double scatter) {
  StepRows rows{MeasuredRow(id, 1e5), MeasuredRow(id + "-uniform-8", 1e5), {}};
  for (std::size_t i = 0; i < rows.candidate.window_ns.size(); ++i) {
    const double sign = i % 2 == 0 ? 1.0 : -1.0;
    rows.candidate.window_ns[i] = 1e5 * (1.0 + sign * scatter);
    rows.uniform8.window_ns[i] = 1e5;
  }
  rows.candidate.window_cpu_ns = rows.candidate.window_ns;
  rows.uniform8.window_cpu_ns = rows.uniform8.window_ns;
  return rows;
}

StepRows Failed(const std::string& id, const std::string& status) {
  StepRows rows{CrashedRow(id), CrashedRow(id + "-uniform-8"), {}};
  rows.candidate.status = rows.uniform8.status = status;
  return rows;
}

StepRows Noisy(const std::string& id, double scatter) {
  StepRows rows = Measured(id, scatter);
  rows.candidate.status = rows.uniform8.status = "NOISY";
  return rows;
}

class StepMeasurementTest : public testing::Test {
 protected:
  Result<StepRows> Measure(std::deque<Result<StepRows>> answers) {
    asked_.clear();
    RepeatBudget budget = budget_;
    return MeasureStep("step-3", [&](const StepRequest& request) {
      const int times = 1 << request.window_doublings;
      asked_.push_back(request.measurement_id + (request.tier == Tier::kStandard ? " long" : "") +
                       (times > 1 ? " x" + std::to_string(times) : "") +
                       (request.knows_energy ? " without energy" : ""));
      Result<StepRows> answer = std::move(answers.front());
      answers.pop_front();
      if (!answer.ok()) return answer;
      if (IsRepeatedStep(request.measurement_id)) {
        budget.TookRepeat(answer->seconds);
      } else {
        budget.TookFirst(answer->seconds);
      }
      answer->may_repeat = budget.IsLeft();
      return answer;
    });
  }

  RepeatBudget budget_;
  std::vector<std::string> asked_;
};

TEST_F(StepMeasurementTest, MeasuresOnceWhatIsCertain) {
  const StepRows rows = ValueOrDie(Measure({Measured("a", 0.001)}));
  EXPECT_EQ(rows.candidate.measurement_id, "a");
  EXPECT_THAT(asked_, ElementsAre("step-3"));
}

TEST_F(StepMeasurementTest, MeasuresLongerWhatIsNot) {
  const StepRows rows = ValueOrDie(Measure({Measured("a", 0.1), Measured("b", 0.1)}));
  EXPECT_EQ(rows.candidate.measurement_id, "b");
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-standard long"));
}

TEST_F(StepMeasurementTest, KeepsTheFirstNumbersAndTheirIntervalIfTheLongerOneFails) {
  for (const char* status : {"CRASH", "TIMED_OUT", "OUT_OF_MEMORY", "REJECTED"}) {
    SCOPED_TRACE(status);
    const StepRows rows = ValueOrDie(Measure({Measured("a", 0.1), Failed("b", status)}));
    EXPECT_EQ(asked_.size(), 2U);
    ASSERT_TRUE(rows.HasNumbers());
    EXPECT_EQ(rows.candidate.measurement_id, "a");
    EXPECT_GT(rows.Ratio().relative_half_width(), 0.05);
  }
}

TEST_F(StepMeasurementTest, MeasuresWhatIsNoisyAgainInWindowsTwiceAsLong) {
  const StepRows rows = ValueOrDie(Measure({Noisy("a", 0.001), Measured("b", 0.001)}));
  EXPECT_EQ(rows.candidate.measurement_id, "b");
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-again-1 x2"));
}

TEST_F(StepMeasurementTest, MeasuresWhatStaysNoisyTwiceMore) {
  const StepRows rows =
      ValueOrDie(Measure({Noisy("a", 0.001), Noisy("b", 0.001), Noisy("c", 0.001)}));
  EXPECT_EQ(rows.candidate.measurement_id, "c");
  EXPECT_EQ(rows.candidate.status, "NOISY");
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-again-1 x2", "step-3-again-2 x4"));
}

// STANDARD's windows are longer by themselves.
TEST_F(StepMeasurementTest, CountsTheLongerMeasurementAmongThem) {
  const StepRows rows = ValueOrDie(Measure({Noisy("a", 0.1), Noisy("b", 0.1), Noisy("c", 0.1)}));
  EXPECT_EQ(rows.candidate.measurement_id, "c");
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-standard long", "step-3-again-2 long x2"));
  ValueOrDie(Measure({Measured("a", 0.1), Noisy("b", 0.1), Measured("c", 0.1)}));
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-standard long", "step-3-again-2 long x2"));
}

TEST_F(StepMeasurementTest, KeepsTheNarrowestOfThoseThatStayedNoisy) {
  EXPECT_EQ(ValueOrDie(Measure({Noisy("a", 0.002), Noisy("b", 0.009), Noisy("c", 0.004)}))
                .candidate.measurement_id,
            "a");
  EXPECT_EQ(ValueOrDie(Measure({Noisy("a", 0.1), Noisy("b", 0.02), Noisy("c", 0.05)}))
                .candidate.measurement_id,
            "b");
  EXPECT_EQ(ValueOrDie(Measure({Noisy("a", 0.1), Noisy("b", 0.02), Failed("c", "CRASH")}))
                .candidate.measurement_id,
            "b");
}

// Of a class's steps many are under way at once, and none of their repeats is measured yet.
TEST(RepeatBudgetTest, CountsARepeatFromWhenItWasDecided) {
  RepeatBudget budget;
  EXPECT_TRUE(budget.IsLeft());
  budget.TookFirst(8.0);
  budget.BeganRepeat("step-1", 1.5);
  EXPECT_TRUE(budget.IsLeft());
  budget.BeganRepeat("step-2", 1.5);
  EXPECT_FALSE(budget.IsLeft()) << "3 s of 2";
  budget.EndedRepeat("step-1");
  budget.TookRepeat(0.5);
  EXPECT_TRUE(budget.IsLeft()) << "it was shorter";
  budget.EndedRepeat("step-2");  // given up
  budget.EndedRepeat("step-2");
  EXPECT_TRUE(budget.IsLeft());
  EXPECT_EQ(budget.repeat_seconds(), 0.5);
}

// A clean one says more than a disturbed one that looks more certain.
TEST_F(StepMeasurementTest, KeepsTheLastIfThatIsClean) {
  const StepRows rows = ValueOrDie(Measure({Noisy("a", 0.002), Measured("b", 0.01)}));
  EXPECT_EQ(rows.candidate.measurement_id, "b");
}

// Energies come with the measurement that took them, whichever latencies count.
TEST_F(StepMeasurementTest, KeepsAnEnergyThatOnlyTheWiderMeasurementKnows) {
  StepRows second = Noisy("b", 0.009);
  second.energy.measured = EnergyRatio{0.7, 0.01};
  const StepRows rows = ValueOrDie(Measure({Noisy("a", 0.002), second, Noisy("c", 0.004)}));
  EXPECT_EQ(rows.candidate.measurement_id, "a");
  ASSERT_TRUE(rows.energy.measured);
  EXPECT_EQ(rows.energy.measured->value, 0.7);
}

TEST_F(StepMeasurementTest, RepeatsNothingOnceRepeatsHaveHadTheirShare) {
  budget_.TookFirst(100.0);
  budget_.TookRepeat(30.0);
  const StepRows rows = ValueOrDie(Measure({Noisy("a", 0.001)}));
  EXPECT_EQ(rows.candidate.status, "NOISY");
  EXPECT_THAT(asked_, ElementsAre("step-3"));
  // A ratio that is vague is no repeat.
  ValueOrDie(Measure({Noisy("a", 0.1), Noisy("b", 0.1)}));
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-standard long"));
}

TEST_F(StepMeasurementTest, ChargesARepeatToTheNextOneOfTheStep) {
  budget_.TookFirst(1.0);
  StepRows first = Noisy("a", 0.001);
  first.seconds = 0.5;
  StepRows second = Noisy("b", 0.001);
  second.seconds = 1.0;
  ValueOrDie(Measure({first, second}));  // 1 s is more than a quarter of 1.5 s
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-again-1 x2"));
}

TEST_F(StepMeasurementTest, KeepsNoisyNumbersIfMeasuringAgainFails) {
  const StepRows rows = ValueOrDie(Measure({Noisy("a", 0.001), Failed("b", "CRASH")}));
  EXPECT_EQ(rows.candidate.measurement_id, "a");
  EXPECT_EQ(asked_.size(), 2U);
}

TEST_F(StepMeasurementTest, KeepsAFailureOfTheFirst) {
  const StepRows rows = ValueOrDie(Measure({Failed("a", "CRASH")}));
  EXPECT_FALSE(rows.HasNumbers());
  EXPECT_EQ(asked_.size(), 1U);
}

// The step is not over: whoever resumes measures it.
TEST_F(StepMeasurementTest, EndsWithTheBoardIfThatIsGone) {
  const Status gone(StatusCode::kUnavailable, "no board");
  EXPECT_EQ(Measure({gone}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Measure({Measured("a", 0.1), gone}).status().code(), StatusCode::kUnavailable);
}

TEST_F(StepMeasurementTest, AWrongOutputIsNoMeasurement) {
  Measurement measurement;
  for (const MeasureStatus status : {MeasureStatus::kOk, MeasureStatus::kTimedOut}) {
    measurement.status = status;
    EXPECT_TRUE(CheckExact(measurement).ok());
  }
  measurement.status = MeasureStatus::kWrongOutput;
  measurement.detail = "logit 3";
  const Status wrong = CheckExact(measurement);
  EXPECT_EQ(wrong.code(), StatusCode::kInternal);
  EXPECT_THAT(wrong.message(), HasSubstr("(logit 3): a kernel is wrong"));
}

TEST_F(StepMeasurementTest, MeasuresEnergyUntilItIsKnown) {
  StepRows first = Measured("a", 0.1);
  first.energy.measured = EnergyRatio{0.7, 0.01};
  const StepRows rows = ValueOrDie(Measure({first, Measured("b", 0.1)}));
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-standard long without energy"));
  EXPECT_EQ(rows.candidate.measurement_id, "b");
  ASSERT_TRUE(rows.energy.measured);
  EXPECT_EQ(rows.energy.measured->value, 0.7);
}

TEST_F(StepMeasurementTest, MeasuresNoEnergyAgainBecauseLatenciesWereNoisy) {
  StepRows first = Noisy("a", 0.001);
  first.energy.measured = EnergyRatio{0.7, 0.01};
  const StepRows rows = ValueOrDie(Measure({first, Noisy("b", 0.001), Measured("c", 0.001)}));
  EXPECT_THAT(asked_, ElementsAre("step-3", "step-3-again-1 x2 without energy",
                                  "step-3-again-2 x4 without energy"));
  ASSERT_TRUE(rows.energy.measured);
  EXPECT_EQ(rows.energy.measured->value, 0.7);
}

}  // namespace
}  // namespace bitpilot

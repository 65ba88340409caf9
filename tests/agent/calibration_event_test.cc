// What a study keeps of how the boards of a class were compared.
#include "agent/study/calibration_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;

CalibrationEvent SampleEvent() {
  CalibrationEvent event;
  event.on = "pi";
  event.networks = 8;
  event.reference = "a";
  event.reference_measurements = {"calibration-1"};
  event.board_seconds = 31.25;
  CalibratedBoard same{"a", {"calibration-1"}, true, BoardAgreement(), ""};
  CalibratedBoard odd{"b", {"calibration-2", "calibration-4"}, false, std::nullopt, ""};
  odd.agreement = BoardAgreement{1.31, 0.043, 0.002, 3, 0.52, 0.61};
  CalibratedBoard broken{"c", {"calibration-3"}, false, std::nullopt, "CRASH: signal 11"};
  event.boards = {same, odd, broken};
  return event;
}

TEST(CalibrationEventTest, KeepsEveryFigureBitForBit) {
  CalibrationEvent event = SampleEvent();
  event.boards[1].agreement->residual = 0.1 + 0.2;
  EXPECT_EQ(ValueOrDie(ParseEvent<CalibrationEvent>(ToJson(event))), event);
}

TEST(CalibrationEventTest, RefusesAPayloadThatLacksAKey) {
  const Result<CalibrationEvent> parsed = ParseEvent<CalibrationEvent>(R"({"on":"pi"})");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(parsed.status().message(), HasSubstr("networks"));
}

TEST(CalibrationEventTest, SaysWhatWasExpectedWhatCameAndWhatToDo) {
  const CalibrationEvent event = SampleEvent();
  const std::string odd = DescribeCalibration(event, event.boards[1]);
  EXPECT_THAT(odd, HasSubstr("board 'b' is left out of class 'pi'"));
  EXPECT_THAT(odd, HasSubstr("scatter by 4.3 % (expected at most 1.0 %)"));
  EXPECT_THAT(odd, HasSubstr("network 4 takes 0.610 of uniform 8 bit's time, expected 0.520"));
  EXPECT_THAT(odd, HasSubstr("give it a tag of its own"));
  const std::string broken = DescribeCalibration(event, event.boards[2]);
  EXPECT_THAT(broken, HasSubstr("CRASH: signal 11"));
  EXPECT_THAT(broken, HasSubstr("left out"));
}

TEST(CalibrationEventTest, BlamesNoiseWhereItExplainsTheDifference) {
  CalibrationEvent event = SampleEvent();
  event.boards[1].agreement->noise = 0.04;
  const std::string text = DescribeCalibration(event, event.boards[1]);
  EXPECT_THAT(text, HasSubstr("scatter that much by themselves (4.0 %)"));
  EXPECT_THAT(text, Not(HasSubstr("tag of its own")));
}

TEST(CalibrationEventTest, NamesMeasurementsByClassAndNetwork) {
  EXPECT_EQ(CalibrationId(1, 3), "calibration-3");
  EXPECT_EQ(CalibrationId(2, 3), "calibration-class-2-3");
  const std::string row = CalibrationRowId(CalibrationId(2, 3), 5);
  EXPECT_TRUE(IsCalibration(row));
  EXPECT_EQ(CalibrationIdOf(row), "calibration-class-2-3");
  for (const char* const other : {"step-3", "reference-uniform-8", "final-0", "calibration-3"}) {
    EXPECT_FALSE(IsCalibration(other)) << other;
  }
}

class ReadCalibrationTest : public testing::Test {
 protected:
  void Put(int network, MeasurementRow row, const std::string& board = "a") {
    row.measurement_id = CalibrationRowId("calibration-1", network);
    MeasurementConditions conditions;
    conditions.board_name = board;
    conditions.duration_ms = 12'500.0;
    row.conditions = ToJson(conditions);
    rows_[row.measurement_id] = std::move(row);
  }
  Result<CalibrationReading> Read() {
    return ReadCalibration("calibration-1", 2,
                           [&](const std::string& id) -> Result<MeasurementRow> {
                             const auto row = rows_.find(id);
                             if (row == rows_.end()) return DataCorrupt("no row " + id);
                             return row->second;
                           });
  }
  std::map<std::string, MeasurementRow> rows_;
};

TEST_F(ReadCalibrationTest, GivesTheShapeOfTheStoredWindows) {
  Put(0, MeasuredRow("", 1e6));
  Put(1, MeasuredRow("", 5e5));
  const CalibrationReading reading = ValueOrDie(Read());
  EXPECT_EQ(reading.board, "a");
  EXPECT_EQ(reading.board_seconds, 12.5);
  ASSERT_TRUE(reading.shape);
  ASSERT_EQ(reading.shape->shape.size(), 2U);
  // Half the time, in every round.
  EXPECT_NEAR(reading.shape->shape[1] - reading.shape->shape[0], std::log(0.5), 1e-12);
}

TEST_F(ReadCalibrationTest, KeepsWhatABoardSaidThatCouldNotMeasure) {
  Put(0, CrashedRow(""));
  Put(1, CrashedRow(""));
  const CalibrationReading reading = ValueOrDie(Read());
  EXPECT_FALSE(reading.shape);
  EXPECT_EQ(reading.failure, "CRASH: worker ended by signal 11");
}

TEST_F(ReadCalibrationTest, RefusesRowsOfDifferentBoards) {
  Put(0, MeasuredRow("", 1e6));
  Put(1, MeasuredRow("", 5e5), "b");
  const Result<CalibrationReading> reading = Read();
  ASSERT_FALSE(reading.ok());
  EXPECT_EQ(reading.status().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(reading.status().message(), HasSubstr("calibration-1-network-1"));
}

}  // namespace
}  // namespace bitpilot

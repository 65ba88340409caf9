#include "agent/study/class_fingerprints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/fleet/board_conditions.h"
#include "agent/study/events.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

BoardInfo BoardCalled(const std::string& name, const std::string& isa) {
  BoardInfo board;
  board.name = name;
  board.isa = isa;
  board.governor = "performance";
  board.backend = "kernels";
  return board;
}

MeasurementRow RowOfBoard(const BoardInfo& board, const ClassId& on,
                          const std::string& governor = "performance") {
  MeasurementConditions conditions;
  conditions.on = on;
  conditions.board_name = board.name;
  conditions.board.governor = governor;
  conditions.fingerprint = FingerprintOf(board, conditions.board);
  MeasurementRow row;
  row.measurement_id = "step-0";
  row.board = ToJson(board);
  row.conditions = ToJson(conditions);
  row.latency_median_ns = 1e6;
  return row;
}

TEST(ClassFingerprintsTest, BoardsThatDifferInTheirNamesAloneHaveOne) {
  const std::vector<BoardInfo> boards = {BoardCalled("bench-1", "avx2"),
                                         BoardCalled("bench-3", "scalar")};
  const auto fingerprints = ClassFingerprintsOf(
      {RowOfBoard(boards[0], "a"), RowOfBoard(BoardCalled("bench-2", "avx2"), "a"),
       RowOfBoard(boards[1], "b"), RowOfBoard(BoardCalled("bench-4", "scalar"), "b")},
      boards);
  ASSERT_TRUE(fingerprints.ok());
  EXPECT_THAT(fingerprints->at("a"), ElementsAre(ClassFingerprintOf(boards[0])));
  EXPECT_THAT(fingerprints->at("b"), ElementsAre(ClassFingerprintOf(boards[1])));
  EXPECT_EQ(DescribeSeveralFingerprints(*fingerprints), "");
}

TEST(ClassFingerprintsTest, NamesTheClassWhoseConditionsChanged) {
  const std::vector<BoardInfo> boards = {BoardCalled("bench-1", "avx2"),
                                         BoardCalled("bench-3", "scalar")};
  const auto fingerprints =
      ClassFingerprintsOf({RowOfBoard(boards[0], "a"), RowOfBoard(boards[1], "b"),
                           RowOfBoard(boards[1], "b", "powersave")},
                          boards);
  ASSERT_TRUE(fingerprints.ok());
  EXPECT_THAT(fingerprints->at("a"), SizeIs(1));
  EXPECT_THAT(fingerprints->at("b"), SizeIs(2));
  EXPECT_THAT(DescribeSeveralFingerprints(*fingerprints), HasSubstr("class 'b' has 2 ("));
}

TEST(ClassFingerprintsTest, CountsNeitherAnotherBoardNorWhatHasNoLatency) {
  const std::vector<BoardInfo> boards = {BoardCalled("bench-1", "avx2")};
  MeasurementRow failed = RowOfBoard(boards[0], kOnlyClass, "powersave");
  failed.latency_median_ns.reset();
  const auto fingerprints =
      ClassFingerprintsOf({RowOfBoard(boards[0], kOnlyClass),
                           RowOfBoard(BoardCalled("bench-1", "avx512vnni"), kOnlyClass), failed},
                          boards);
  ASSERT_TRUE(fingerprints.ok());
  EXPECT_THAT(fingerprints->at(kOnlyClass), SizeIs(1));
}

}  // namespace
}  // namespace bitpilot

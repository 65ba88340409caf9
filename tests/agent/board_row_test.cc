// Boards as `bitpilot fleet list` and `top` show them.
#include "agent/cli/board_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const BoardAddress kBench{"bench-1", "tcp://192.0.2.7:7777", "", ""};

BoardView ViewOf(const std::string& backend, bool tells_state) {
  BoardView view;
  view.status = Status();
  view.info = BoardInfo();
  view.info->backend = backend;
  view.info->isa = "avx2";
  view.info->kernel_build = "0123456789abcdef";
  if (tells_state) view.board = v1::BoardStatus();
  return view;
}

TEST(BoardTableTest, SaysWhichBoardsAnswerFromATable) {
  for (const bool tells_state : {true, false}) {
    const BoardView model = ViewOf("model:mpic", tells_state);
    EXPECT_THAT(BoardTable({{kBench, model, std::nullopt}})[1], HasSubstr("  MODEL:mpic"));
    EXPECT_EQ(BoardJson(kBench, model, std::nullopt)["backend"], "model:mpic");
    const BoardView real = ViewOf("kernels", tells_state);
    EXPECT_THAT(BoardTable({{kBench, real, std::nullopt}})[1], HasSubstr("  avx2 0123456789ab"));
    EXPECT_EQ(BoardJson(kBench, real, std::nullopt)["backend"], "kernels");
  }
  EXPECT_TRUE(BoardJson(kBench, BoardView(), std::nullopt)["backend"].is_null());
}

TEST(BoardTableTest, HasColumnsOfWhatSomeBoardHas) {
  BoardView view = ViewOf("kernels", /*tells_state=*/true);
  view.board->set_state("LEASED");
  EXPECT_THAT(BoardTable({{kBench, view, milliseconds(3000)}}),
              ElementsAre("board    state   holder  queue  errors  seen  kernels",
                          "bench-1  LEASED  shared  0      0 of 0  3 s   avx2 0123456789ab"));
  view.board->set_holder("process 7 on pc");
  view.board->set_reserved(true);
  view.board->set_clock_mhz(2400.0);
  BoardAddress other = kBench;
  other.tags = {"pi5", "lab"};
  BoardView away;
  away.status = Status(StatusCode::kUnavailable, "board 'x' does not answer");
  const std::vector<std::string> lines =
      BoardTable({{kBench, view, milliseconds(3000)}, {other, away, std::nullopt}});
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_THAT(lines[0], HasSubstr("state   class     holder"));
  EXPECT_THAT(lines[0], HasSubstr("clock     kernels"));
  EXPECT_THAT(lines[1], HasSubstr("-         process 7 on pc (reserved)"));
  EXPECT_THAT(lines[1], HasSubstr("2400 MHz"));
  EXPECT_THAT(lines[2], HasSubstr("bench-1  AWAY    pi5, lab  -"));
}

// Where no row is made longer, or cut off, by them.
TEST(BoardTableTest, SaysBelowTheRowsWhatThereIsToSay) {
  BoardView drained = ViewOf("kernels", /*tells_state=*/true);
  drained.board->set_state("DRAINING");
  drained.board->set_draining(true);
  drained.board->set_drain_reason("new\nfan");
  BoardView away;
  away.status = Status(StatusCode::kUnavailable, "board 'bench-2' does not answer");
  const BoardView older = ViewOf("kernels", /*tells_state=*/false);
  const std::vector<std::string> lines = BoardTable({{kBench, drained, std::nullopt},
                                                     {kBench, away, std::nullopt},
                                                     {kBench, older, std::nullopt}});
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_EQ(lines[4], "");
  EXPECT_EQ(lines[5], "board 'bench-1': drained: new fan");
  EXPECT_EQ(lines[6], "board 'bench-2' does not answer");
  EXPECT_THAT(lines[7], HasSubstr("board 'bench-1': an older bitpilotd"));
  for (int i = 0; i < 4; ++i) EXPECT_THAT(lines[i], Not(HasSubstr("fan")));
}

}  // namespace
}  // namespace bitpilot

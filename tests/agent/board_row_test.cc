// A board as `bitpilot fleet list` and `top` show it.
#include "agent/cli/board_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

BoardView ViewOf(const std::string& backend, bool tells_state) {
  BoardView view;
  view.status = Status();
  view.info = BoardInfo();
  view.info->backend = backend;
  if (tells_state) view.board = v1::BoardStatus();
  return view;
}

std::string Backend(const std::vector<std::string>& row) {
  const std::vector<std::string> head = BoardRowHead();
  EXPECT_EQ(row.size(), head.size());
  const auto column = std::find(head.begin(), head.end(), "backend");
  return row.at(static_cast<std::size_t>(column - head.begin()));
}

TEST(BoardRowTest, SaysWhichBoardsAnswerFromATable) {
  const BoardAddress address{"bench-1", "tcp://192.0.2.7:7777", "", ""};
  for (const bool tells_state : {true, false}) {
    const BoardView model = ViewOf("model:mpic", tells_state);
    EXPECT_EQ(Backend(BoardRow(address, model, std::nullopt)), "MODEL, model:mpic");
    EXPECT_EQ(BoardJson(address, model, std::nullopt)["backend"], "model:mpic");
    const BoardView real = ViewOf("kernels", tells_state);
    EXPECT_EQ(Backend(BoardRow(address, real, std::nullopt)), "kernels");
  }
  EXPECT_EQ(Backend(BoardRow(address, BoardView(), std::nullopt)), "-");
  EXPECT_TRUE(BoardJson(address, BoardView(), std::nullopt)["backend"].is_null());
}

}  // namespace
}  // namespace bitpilot

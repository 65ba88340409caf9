// A board as `bitpilot fleet list`, `top` and the orders show it: a row of a table, or a JSON object.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/fleet/board.h"
#include "agent/fleet/board_inquiry.h"

namespace bitpilot {

// What it does, in a word: as the board says it, QUARANTINED, or without an answer AWAY or REFUSED; an
// older daemon's is UNKNOWN.
std::string BoardStateWord(const BoardView& view);

// "kernels", or "MODEL, model:TABLE" of a board that answers from a table.
std::string BackendText(const BoardInfo& board);

// A build's hash, as long as it takes to tell builds apart; JSON has all of it.
std::string ShortBuild(const std::string& build);

std::vector<std::string> BoardRowHead();
// seen_ago: nothing if it was never heard of.
std::vector<std::string> BoardRow(const BoardAddress& address, const BoardView& view,
                                  std::optional<std::chrono::milliseconds> seen_ago);

// What the fleet file says of it.
nlohmann::json ListedBoardJson(const BoardAddress& address);
// That, and all that is known; null where it is not.
nlohmann::json BoardJson(const BoardAddress& address, const BoardView& view,
                         std::optional<std::chrono::milliseconds> seen_ago);

}  // namespace bitpilot

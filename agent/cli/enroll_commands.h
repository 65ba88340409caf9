// The three commands that make a board known to this agent, and this agent to the board; printed for people
// to paste, on the two sides.
#pragma once

#include <string>
#include <vector>

#include "agent/fleet/board.h"

namespace bitpilot {

// What is known of a board that is to be enrolled. What is not has a word in capitals in its place.
struct EnrollBoard {
  std::string name = "NAME";
  std::string endpoint = "tcp://ADDRESS:7777";  // not read of one that connects
  bool connects = false;                        // to this machine, which listens
  std::string listen;                           // there
  std::vector<std::string> tags = {};
};

struct EnrollCommands {
  std::string on_board_keys;
  std::string on_board_serve;
  std::string here;
};

// flags_here: further ones of `bitpilot fleet add`, each with a space before it.
EnrollCommands EnrollCommandsOf(const EnrollBoard& board, const AgentKeys& keys,
                                const std::string& flags_here);

// Each on a line of its own, below what it does.
std::string DescribeEnroll(const EnrollCommands& commands);

}  // namespace bitpilot

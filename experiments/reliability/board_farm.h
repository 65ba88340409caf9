// BoardFarm: so many SocketBoards in a process of their own, so that what an agent needs in processor
// time and memory is told apart from what they need.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "experiments/reliability/socket_board.h"
#include "kernels/base/status.h"

namespace bitpilot::simulation {

struct FarmOptions {
  int num_boards = 1;
  std::chrono::microseconds measurement_time{0};  // 0: answered at once
  std::string agent_public_key;                   // the one that gets in
};

class BoardFarm {
 public:
  // REQUIRES: this process has neither threads nor a ZeroMQ context yet.
  //
  // Errors: kUnavailable says what did not start.
  static Result<std::unique_ptr<BoardFarm>> Start(const FarmOptions& options);
  // Ends the process.
  ~BoardFarm();
  BoardFarm(const BoardFarm&) = delete;
  BoardFarm& operator=(const BoardFarm&) = delete;

  // "board 0" and so on.
  const std::vector<BoardAddress>& addresses() const { return addresses_; }

  // Ends the process and says what happened on each of its boards.
  //
  // Errors: kUnavailable if it had ended before.
  Result<std::vector<SocketBoard::Counts>> Stop();

 private:
  BoardFarm() = default;

  // A line of what it writes; empty at the end.
  std::string ReadLine();

  pid_t pid_ = -1;
  int to_farm_ = -1;
  int from_farm_ = -1;
  std::string unread_;  // of what it wrote
  std::vector<BoardAddress> addresses_;
};

}  // namespace bitpilot::simulation

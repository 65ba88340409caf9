// Many boards in this process: each a real DaemonCore behind a real encrypted socket on loopback,
// with a worker that answers at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/fleet/board.h"

namespace bitpilot {

class BoardFarm {
 public:
  // What every measurement finds.
  static constexpr double kLatencyNs = 1'000.0;

  // All boards are off.
  BoardFarm(int num_boards, const AgentKeys& agent);
  ~BoardFarm();
  BoardFarm(const BoardFarm&) = delete;
  BoardFarm& operator=(const BoardFarm&) = delete;

  // Every board boots, at the same ports as before.
  void SwitchOn();
  // All are off at once, without a word.
  void SwitchOff();

  // Where they are: after the first SwitchOn().
  const std::vector<BoardAddress>& addresses() const { return addresses_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<BoardAddress> addresses_;
};

}  // namespace bitpilot

// FarmAgent: the agent's side of a BoardFarm: the product's FleetDriver with prepared requests, so that
// nothing but the fleet is measured.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_driver.h"
#include "experiments/reliability/board_farm.h"
#include "kernels/base/status.h"

namespace bitpilot::simulation {

class FarmAgent {
 public:
  // file_bytes: size of the one network that all requests measure.
  FarmAgent(const AgentKeys& keys, std::size_t file_bytes);

  // Adds all boards and waits until each has granted a lease.
  //
  // Errors: why one has not within `limit`.
  Status Register(const std::vector<BoardAddress>& boards, std::chrono::seconds limit);

  // Measures so many times, with `in_flight` jobs at a time, and returns how many gave numbers.
  int Measure(int count, int in_flight);

 private:
  JobId Submit();
  bool Finish(JobId id);

  const AgentKeys keys_;
  JobRequest request_;
  std::uint64_t num_requests_ = 0;
  FleetDriver fleet_;
};

}  // namespace bitpilot::simulation

#include "agent/fleet/fleet_board.h"

#include <unistd.h>

#include <random>

#include "kernels/base/host_name.h"

namespace bitpilot {
namespace {

// What another agent reads that asks for the lease: host and process.
std::string HolderName() { return "process " + std::to_string(getpid()) + " on " + HostName(); }

}  // namespace

FleetBoard FleetBoardNamed(const std::string& name, const std::string& endpoint,
                           const AgentKeys& keys, const BoardOptions& options) {
  FleetBoard board;
  board.keys = keys;
  board.client.board_name = name;
  board.client.endpoint = endpoint;
  board.client.agent_build = "bitpilot " BITPILOT_VERSION;
  board.client.agent_public_key = keys.public_key;
  board.client.holder = HolderName();
  board.client.connect_timeout = options.connect_timeout;
  board.client.reconnect_timeout = options.reconnect_timeout;
  board.client.lease_wait = options.lease_wait;
  board.client.lease = options.lease;
  board.client.jitter_seed = std::random_device{}();
  return board;
}

FleetBoard FleetBoardAt(const BoardAddress& address, const AgentKeys& keys,
                        const BoardOptions& options) {
  FleetBoard board = FleetBoardNamed(address.name, address.endpoint, keys, options);
  board.address = address;
  board.tags = address.tags;
  board.power_cycle = address.power_cycle;
  if (address.connects) {
    board.client.connect_timeout += kConnectingPatience;
    board.client.reconnect_timeout += kConnectingPatience;
  }
  return board;
}

}  // namespace bitpilot

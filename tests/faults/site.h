// A board behind a bad network: a real bitpilotd whose numbers come from a table, and a proxy that
// spoils what agents and it say to each other.
#pragma once

#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_driver.h"
#include "tests/device_daemon/daemon_process.h"
#include "tests/faults/chaos_proxy.h"

namespace bitpilot {

class Site {
 public:
  // What every measurement of SmallNetwork() finds: the sum of tests/loopback/toy.cost.
  static constexpr double kLatencyNs = 2'800.0;

  // fast: it answers at once, and else in the time that it claims: 0.2 s a SCREEN, 0.9 s a STANDARD.
  // table: of the numbers.
  explicit Site(bool fast, const std::string& table = "tests/loopback/toy.cost");

  // Where an agent reaches it through the proxy.
  FleetBoard AsBoard(const std::string& name) const;
  AgentKeys agent_keys() const {
    return {daemon.agent_keys().public_key, daemon.agent_keys().secret_key};
  }

  // The measure ids, in hexadecimal digits, of what it began, what it ran and what it was told is
  // recorded; in the order in which that happened.
  std::vector<std::string> Started() const { return IdsOf("measurement_started"); }
  std::vector<std::string> Executed() const { return IdsOf("measurement_finished"); }
  std::vector<std::string> Acknowledged() const { return IdsOf("result_acknowledged"); }
  // Waits until it has run so many; false after some seconds.
  bool WaitUntilExecuted(std::size_t count) const;

  DaemonProcess daemon;
  ChaosProxy proxy{daemon.endpoint()};

 private:
  std::vector<std::string> IdsOf(const std::string& event) const;
};

}  // namespace bitpilot

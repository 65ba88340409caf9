// Pressure: an agent measures on a daemon at whose port a hostile crowd stands.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

struct PressureOptions {
  std::string folder;      // of keys, store and log; is made
  std::string bitpilotd;   // path of the program
  std::string cost_table;  // path: the board's numbers
  int connections = 10'000;
  std::chrono::milliseconds duration{60'000};
  std::chrono::milliseconds calm{60'000};  // between the crowd's end and the last look
};

struct PressureReport {
  int connections = 0;   // of the crowd
  int let_in = 0;        // of them
  int measurements = 0;  // of the agent, during all of it, with numbers
  int failures = 0;      // without
  double slowest_ms = 0.0;
  std::size_t bytes_before = 0;  // RSS of the daemon alone
  std::size_t bytes_after = 0;
  std::size_t descriptors_before = 0;
  std::size_t descriptors_after = 0;
};

// Errors: kUnavailable if the daemon does not start; kInternal if it ended.
Result<PressureReport> RunPressure(const PressureOptions& options);

}  // namespace bitpilot

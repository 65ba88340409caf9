// The least agent that must not lose anything: it measures one network after the other and records each
// in a study, so that it can be killed at any moment and started again.
#pragma once

#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct MeasuringAgentOptions {
  std::string study;  // is made, or gone on with
  BoardAddress board;
  AgentKeys keys;
};

// Measures for ever. A measurement is named by the id under which its board knows it, in hexadecimal
// digits; its candidate_id is the id of the announcement, which an agent that was killed goes on with.
//
// Errors: of the study or the board.
Status RunMeasuringAgent(const MeasuringAgentOptions& options);

// Under which id a board knows an attempt (0, 1, ...) of what was announced; both in hexadecimal digits.
std::string IdOfAttempt(const std::string& announced, int attempt);

// A network of two layers that no other number has; tests/loopback/toy.cost has costs for it.
Network NumberedNetwork(std::uint64_t number);

}  // namespace bitpilot

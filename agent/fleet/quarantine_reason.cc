#include "agent/fleet/quarantine_reason.h"

namespace bitpilot {

std::string QuarantineReason(const std::string& why) {
  return std::string(kQuarantinePrefix) + why;
}

bool IsQuarantined(const v1::BoardStatus& board) {
  return board.draining() && board.drain_reason().starts_with(kQuarantinePrefix);
}

}  // namespace bitpilot

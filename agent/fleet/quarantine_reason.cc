#include "agent/fleet/quarantine_reason.h"

#include "kernels/base/utf8.h"

namespace bitpilot {

std::string QuarantineReason(const std::string& why) {
  return std::string(kQuarantinePrefix) + why;
}

bool IsQuarantineReason(std::string_view reason) { return reason.starts_with(kQuarantinePrefix); }

bool IsQuarantined(const v1::BoardStatus& board) {
  return board.draining() && IsQuarantineReason(board.drain_reason());
}

std::string DescribeDrain(const std::string& reason) {
  return IsQuarantineReason(reason) ? WithoutControls(reason)
                                    : "drained: " + WithoutControls(reason);
}

}  // namespace bitpilot

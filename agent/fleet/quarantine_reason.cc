#include "agent/fleet/quarantine_reason.h"

#include "kernels/base/utf8.h"
#include "proto/validation.h"

namespace bitpilot {

std::string QuarantineReason(const std::string& why) {
  return std::string(kQuarantinePrefix) + why;
}

std::string QuarantineReason(const std::string& why, const v1::BoardStatus& board) {
  constexpr std::string_view kEarlier = "; was drained: ";
  constexpr std::string_view kCut = "...";
  std::string reason = QuarantineReason(why);
  if (!board.draining()) return reason;
  if (!IsQuarantined(board)) {
    reason += std::string(kEarlier) + board.drain_reason();
  } else if (const std::size_t at = board.drain_reason().find(kEarlier); at != std::string::npos) {
    reason += board.drain_reason().substr(at);
  }
  if (reason.size() <= kMaxNameBytes) return reason;
  std::size_t end = kMaxNameBytes - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
  return reason.substr(0, end) + std::string(kCut);
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

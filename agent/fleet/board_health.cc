#include "agent/fleet/board_health.h"

#include <algorithm>

namespace bitpilot::fleet {

void BoardHealth::OnAttempt(MeasureStatus status, const std::string& networks,
                            const FleetOptions& options) {
  switch (status) {
    case MeasureStatus::kOk:
    case MeasureStatus::kNoisy:
      failed_.clear();
      return;
    case MeasureStatus::kCrash:
    case MeasureStatus::kTimedOut:
    case MeasureStatus::kWrongOutput:
    case MeasureStatus::kLost:
    case MeasureStatus::kProtocolError:
      // As many as count are enough to remember.
      if (failures() < options.quarantine_after) failed_.insert(networks);
      last_failure_ = ToString(status);
      return;
    default:  // says nothing of the board
      return;
  }
}

void BoardHealth::Quarantine(const std::string& why, Instant now, const FleetOptions& options) {
  why_ = why;
  check_pause_ = options.check_pause;
  check_at_ = now + check_pause_;
}

void BoardHealth::Release() {
  failed_.clear();
  why_.clear();
}

void BoardHealth::OnCheckFailed(const std::string& why, Instant now, const FleetOptions& options) {
  why_ = why;
  check_pause_ = std::min(2 * check_pause_, options.longest_check_pause);
  check_at_ = now + check_pause_;
}

}  // namespace bitpilot::fleet

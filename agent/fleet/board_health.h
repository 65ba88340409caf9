// BoardHealth: when a board that answers is not to be trusted with jobs, and how often one that does
// not answer has been power-cycled.
//
// Pure bookkeeping; FleetCore asks it and acts.
#pragma once

#include <chrono>
#include <set>
#include <string>

#include "agent/fleet/fleet_events.h"

namespace bitpilot::fleet {

class BoardHealth {
 public:
  // Notes how an attempt ended. `networks` names what was measured. A board is quarantined after
  // FleetOptions::quarantine_after failures of different networks without a success between them:
  // one candidate that crashes again and again is that candidate's matter. Unfit boards rest instead.
  void OnAttempt(MeasureStatus status, const std::string& networks, const FleetOptions& options);
  void Quarantine(const std::string& why, Instant now, const FleetOptions& options);
  void Release();

  bool is_quarantined() const { return !why_.empty(); }
  // Empty if it is not.
  const std::string& why() const { return why_; }

  // When the next health check is due. REQUIRES: is_quarantined().
  Instant check_at() const { return check_at_; }
  void OnCheckFailed(const std::string& why, Instant now, const FleetOptions& options);

  // So many different networks failed since the last success.
  int failures() const { return static_cast<int>(failed_.size()); }
  bool must_be_quarantined(const FleetOptions& options) const {
    return !is_quarantined() && options.quarantine_after > 0 &&
           failures() >= options.quarantine_after;
  }
  const std::string& last_failure() const { return last_failure_; }

  // Power cycles since the start, or since the board was well for long.
  int power_cycles = 0;
  Instant last_power_cycle{0};
  Instant next_power_cycle{0};

 private:
  std::set<std::string> failed_;
  std::string last_failure_;
  std::string why_;
  Instant check_at_{0};
  std::chrono::milliseconds check_pause_{0};
};

}  // namespace bitpilot::fleet

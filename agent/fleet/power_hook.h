// PowerHook: runs the command that switches a board off and on again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "agent/fleet/client_core.h"
#include "kernels/base/status.h"

namespace bitpilot {

// One run of `sh -c COMMAND`, in a process group of its own, which is killed if it takes longer than
// kLimit, or with this object.
class PowerHook {
 public:
  static constexpr std::chrono::milliseconds kLimit{60'000};

  // Starts it. board_name: in its environment as BITPILOT_BOARD.
  PowerHook(const std::string& command, const std::string& board_name, Instant now);
  ~PowerHook();
  PowerHook(const PowerHook&) = delete;
  PowerHook& operator=(const PowerHook&) = delete;

  // How it ended, as soon as it has; never waits.
  //
  // The status: kInternal if it could not be started or ended with another exit code than 0;
  // kTimeout if it was killed.
  std::optional<Status> Ended(Instant now);

 private:
  void Kill();

  std::string command_;
  Instant started_;
  pid_t pid_ = -1;
  Status start_failure_;
};

}  // namespace bitpilot

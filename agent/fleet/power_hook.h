// PowerHook: runs the command that switches a board off and on again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "agent/fleet/client_core.h"
#include "kernels/base/status.h"

namespace bitpilot {

// One run of `sh -c COMMAND`, in a process group of its own, so that Ctrl-C does not reach it.
//
// Between "off" and "on" it may not be ended: its board would stay off. It is killed, with its group, if it
// takes longer than kLimit and for no other reason. A process that ends before leaves it running.
class PowerHook {
 public:
  static constexpr std::chrono::milliseconds kLimit{60'000};
  // How often to look whether it has ended.
  static constexpr std::chrono::milliseconds kPoll{100};

  // Starts it. board_name: in its environment as BITPILOT_BOARD. now: SteadyNow().
  PowerHook(const std::string& command, std::string board_name, Instant now);
  // Waits until it has ended, for the rest of kLimit: whoever may not wait asks Ended() before.
  ~PowerHook();
  PowerHook(const PowerHook&) = delete;
  PowerHook& operator=(const PowerHook&) = delete;

  const std::string& board_name() const { return board_name_; }

  // How it ended, as soon as it has; never waits.
  //
  // The status: kInternal if it could not be started or ended with another exit code than 0;
  // kTimeout if it was killed.
  std::optional<Status> Ended(Instant now);

 private:
  void Kill();

  const std::string command_;
  const std::string board_name_;
  const Instant started_;
  pid_t pid_ = -1;
  Status start_failure_;
};

}  // namespace bitpilot

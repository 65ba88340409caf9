// The day by which keys expire: boards without a battery boot in 1970, and anybody may set a clock
// back. It is the later of what the clock says and of the latest time that this board ever saw, which
// is on its disk.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "device_daemon/server/calendar_day.h"
#include "kernels/base/status.h"

namespace bitpilot {

class BoardClock {
 public:
  // A clock that says an earlier day was never set.
  static constexpr Day kEarliest{std::chrono::year{2026} / 1 / 1};

  // clock: the system's.
  explicit BoardClock(std::string store_folder,
                      std::function<std::chrono::sys_seconds()> clock = SystemClock);

  // Nothing while the clock is not set.
  std::optional<Day> Today();

  // Writes the latest time to the disk, if an hour has passed since that was done last.
  //
  // Errors: as WriteFileAtomically().
  Status Remember();

 private:
  static std::chrono::sys_seconds SystemClock();
  void Look();

  std::string path_;
  std::function<std::chrono::sys_seconds()> clock_;
  bool is_set_ = false;
  std::chrono::sys_seconds latest_{};
  std::chrono::sys_seconds remembered_{};
};

}  // namespace bitpilot

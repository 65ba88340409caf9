// A core that is kept busy, as a training agent keeps it: float arithmetic over memory that does
// not fit the caches of one core.
#pragma once

#include <atomic>
#include <thread>

namespace bitpilot {

class BusyCore {
 public:
  // Starts a thread on the first CPU that this process may use; the daemon's worker takes the last.
  BusyCore();
  ~BusyCore();
  BusyCore(const BusyCore&) = delete;
  BusyCore& operator=(const BusyCore&) = delete;

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace bitpilot

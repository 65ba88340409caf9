// A crowd that has no business at a daemon's port: it connects and says nothing, half a handshake,
// bytes of anything, frames of a terabyte, or shows keys that nobody listed.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "agent/fleet/board.h"

namespace bitpilot {

class HostileCrowd {
 public:
  // Begins to connect, evenly over `duration`, on a thread of its own.
  //
  // board: whose endpoint is tcp://127.0.0.1:PORT.
  HostileCrowd(const BoardAddress& board, int connections, std::chrono::milliseconds duration);
  // Closes what is still open.
  ~HostileCrowd();
  HostileCrowd(const HostileCrowd&) = delete;
  HostileCrowd& operator=(const HostileCrowd&) = delete;

  // So far.
  int num_connected() const { return num_connected_; }
  // Of those, that the daemon has let in. Must stay 0.
  int num_let_in() const { return num_let_in_; }
  bool has_finished() const { return has_finished_; }

 private:
  void Run(const BoardAddress& board, int connections, std::chrono::milliseconds duration);

  std::atomic<int> num_connected_{0};
  std::atomic<int> num_let_in_{0};
  std::atomic<bool> has_finished_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace bitpilot

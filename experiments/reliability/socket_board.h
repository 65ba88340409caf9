// SocketBoard: a board of the simulated lab behind a real socket: the real DaemonCore, a ROUTER with
// CURVE and the daemon's own gate; its disk is memory, and its worker a timer.
//
// For what only real sockets show: how many boards an agent can serve, and what the protocol costs.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/core/daemon_core.h"
#include "device_daemon/server/zmq_socket.h"
#include "kernels/base/status.h"

namespace bitpilot::simulation {

class SocketBoard {
 public:
  // What happened on it so far.
  struct Counts {
    std::uint64_t measurements = 0;
    std::uint64_t artifact_bytes = 0;  // that arrived
    std::chrono::nanoseconds busy{0};  // what its measurements take, without a late timer
  };

  // measurement_time: that each measurement takes; 0: answered at once.
  SocketBoard(boost::asio::io_context& io, ZmqContext& context, const std::string& name,
              std::chrono::microseconds measurement_time);
  SocketBoard(const SocketBoard&) = delete;
  SocketBoard& operator=(const SocketBoard&) = delete;

  // Listens at a free port of loopback. REQUIRES: the context has a gate.
  Status Listen();

  const std::string& endpoint() const { return socket_.bound_endpoint(); }
  const std::string& public_key() const { return keys_.public_key; }
  const Counts& counts() const { return counts_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct File {
    std::uint64_t have_bytes = 0;
    std::uint64_t total_bytes = 0;
    bool is_complete() const { return have_bytes == total_bytes; }
  };

  void Receive(ZmqMessage message);
  void Feed(daemon::Event event);
  void ArmTimer();

  // One overload an action.
  void Do(const daemon::Send& send);
  void Do(const daemon::StoreEpoch& store) { Feed(daemon::EpochStored{store.epoch, Status()}); }
  void Do(const daemon::PrepareArtifact& prepare);
  void Do(const daemon::AppendArtifact& append);
  void Do(const daemon::StartJob& start);
  void Do(const daemon::StopJob& stop);
  void Do(const daemon::StoreResult& store) {
    Feed(daemon::ResultStored{store.measure_id, Status()});
  }
  template <typename Other>
  void Do(const Other&) {}  // for people, or for a disk

  daemon::Milliseconds Now() const {
    return std::chrono::duration_cast<daemon::Milliseconds>(Clock::now() - start_);
  }

  const Clock::time_point start_ = Clock::now();
  const std::chrono::microseconds measurement_time_;
  const CurveKeys keys_ = MakeCurveKeys();
  ZmqSocket socket_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer worker_;
  daemon::DaemonCore core_;
  std::deque<daemon::Event> events_;
  std::map<std::string, File> files_;
  Counts counts_;
};

}  // namespace bitpilot::simulation

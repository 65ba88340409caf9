// The daemon's word to systemd (sd_notify(3)): one datagram each to the socket that NOTIFY_SOCKET
// names. Without one nobody listens, and nothing is sent.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bitpilot {

// Not thread-safe: use it where the io_context runs.
class ServiceManager {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and hides them from programs that this one
  // starts.
  explicit ServiceManager(boost::asio::io_context& io);

  // "READY=1", and from now on "WATCHDOG=1" twice in the time after which systemd would restart the
  // daemon: sent by the loop that serves agents, which so proves that it turns.
  void SayReady();
  void SayStopping() { Send("STOPPING=1"); }

 private:
  void FeedWatchdog();
  // A manager that does not read is left alone.
  void Send(const std::string& state) const;

  boost::asio::steady_timer timer_;
  std::string socket_path_;
  std::optional<std::chrono::microseconds> feed_every_;
};

}  // namespace bitpilot

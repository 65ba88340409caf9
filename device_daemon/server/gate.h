// The gate: decides at every handshake which peer gets in (ZAP), and proves before the daemon opens
// that strangers do not.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.

#include <boost/asio/io_context.hpp>

#include "device_daemon/server/keys.h"
#include "device_daemon/server/zmq_socket.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Answers libzmq's authentication requests for as long as it lives. Without a gate nobody gets in.
class Gate {
 public:
  // today: as WhyNotToday() takes it.   on_refusal: a line for the log.
  Gate(boost::asio::io_context& io, ZmqContext& context, AuthorizedAgents agents,
       std::function<std::optional<Day>()> today,
       std::function<void(const std::string&)> on_refusal);

  // Errors: kUnavailable if this context has a gate already.
  Status Open();

  void Replace(AuthorizedAgents agents) { agents_ = std::move(agents); }
  // The agent with this key; null if it is not listed. Who was let in stays, whatever the clock says
  // then.
  const AuthorizedAgent* Find(const std::string& public_key) const;
  std::optional<Day> today() const { return today_(); }
  const AuthorizedAgents& agents() const { return agents_; }

 private:
  void Decide(const ZmqMessage& request);

  ZmqSocket socket_;
  AuthorizedAgents agents_;
  std::function<std::optional<Day>()> today_;
  std::function<void(const std::string&)> on_refusal_;
};

// Opens a port of its own on loopback, secured like the public one, and tries to get in with a
// listed key (which must work); with a key that nobody knows, a listed one that has expired, no key at
// all, and as one who expects another server (which must not: so a daemon that connects to its agent
// talks to nobody else). Runs `io` meanwhile.
//
// limit: for the listed key to get in, on a busy machine too.
//
// Errors: kPermissionDenied if a stranger got in; kInternal if the listed key did not.
Status TestGate(boost::asio::io_context& io, ZmqContext& context, Gate& gate,
                std::chrono::milliseconds limit = std::chrono::minutes{1});

}  // namespace bitpilot

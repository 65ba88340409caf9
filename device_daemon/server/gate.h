// The gate: decides at every handshake which peer gets in (ZAP), and proves before the daemon opens
// that strangers do not.
#pragma once

#include <functional>
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
  // on_refusal: a line for the log.
  Gate(boost::asio::io_context& io, ZmqContext& context, AuthorizedAgents agents,
       std::function<void(const std::string&)> on_refusal);

  // Errors: kUnavailable if this context has a gate already.
  Status Open();

  void Replace(AuthorizedAgents agents) { agents_ = std::move(agents); }
  bool IsAuthorized(const std::string& public_key) const { return agents_.contains(public_key); }
  const AuthorizedAgents& agents() const { return agents_; }

 private:
  void Decide(const ZmqMessage& request);

  ZmqSocket socket_;
  AuthorizedAgents agents_;
  std::function<void(const std::string&)> on_refusal_;
};

// Opens a port of its own on loopback, secured like the public one, and tries to get in with a
// listed key (which must work), a key that nobody knows and no key at all (which must not). Runs
// `io` meanwhile.
//
// Errors: kPermissionDenied if a stranger got in; kInternal if the listed key did not.
Status TestGate(boost::asio::io_context& io, ZmqContext& context, Gate& gate);

}  // namespace bitpilot

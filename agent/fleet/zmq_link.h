// ZmqLink: the agent's end of one encrypted connection to a board, and the only user of ZeroMQ in
// the agent. zmq.hpp stays in zmq_link.cc.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "agent/fleet/board.h"
#include "agent/fleet/client_core.h"
#include "kernels/base/status.h"
#include "proto/framing.h"

namespace bitpilot {

// A DEALER socket with CURVE, without a routing id (a rebooted board would ignore a known one). It
// never reconnects by itself: ClientCore decides when a new link is opened, because a new
// connection needs the lease again.
//
// Not thread-safe: belongs to one thread, except Wake().
class ZmqLink {
 public:
  ZmqLink();
  ~ZmqLink();
  ZmqLink(const ZmqLink&) = delete;
  ZmqLink& operator=(const ZmqLink&) = delete;

  // Starts to connect, after closing what was open. LinkUp, LinkDown or LinkRefused follows from
  // Next().
  //
  // Errors:
  //   kInvalidArgument  the endpoint or a key cannot be read.
  Status Open(const BoardAddress& address, const AgentKeys& keys);

  // Drops what was not sent and what was not read.
  void Close();

  // Sends now or as soon as the connection takes it; drops the message if no link is open.
  void Send(const Message& message);

  // The next thing that happened on the link, or nothing.
  std::optional<Event> Next();

  // Waits until Next() has something, Wake() is called, or `timeout` has passed.
  void Wait(std::chrono::milliseconds timeout);

  // Ends a Wait() of the link's thread, or the next one. May be called from any thread.
  void Wake();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A new CURVE key pair from the system's random source.
AgentKeys GenerateCurveKeys();

// The public key that belongs to a secret one.
//
// Errors:
//   kInvalidArgument  not 40 characters of Z85.
Result<std::string> PublicKeyOf(const std::string& secret_key);

}  // namespace bitpilot

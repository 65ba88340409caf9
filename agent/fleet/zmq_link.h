// ZmqHub and ZmqLink: the agent's ends of its encrypted connections to boards. ZeroMQ stays behind this
// header.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/client_core.h"
#include "kernels/base/status.h"
#include "proto/endpoint.h"
#include "proto/framing.h"

namespace bitpilot {

class ZmqLink;

// The one ZeroMQ context of a fleet, and the one wait for all of its links.
//
// Not thread-safe: belongs to one thread, except Wake(). Outlives its links.
class ZmqHub {
 public:
  ZmqHub();
  ~ZmqHub();
  ZmqHub(const ZmqHub&) = delete;
  ZmqHub& operator=(const ZmqHub&) = delete;

  // Waits until a link has something to tell, Wake() is called, or `timeout` has passed. Returns the
  // links whose Next() may have something.
  std::vector<ZmqLink*> Wait(std::chrono::milliseconds timeout);

  // Ends a Wait() of the hub's thread, or the next one. May be called from any thread.
  void Wake();

 private:
  friend class ZmqLink;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The link with one board: a socket of its own or, of a board that connects to this agent, its place at
// the hub's one port (agent/fleet/board_port.h), which is opened with the first such link and stays for
// as long as the hub.
//
// Its own is a DEALER socket with CURVE, without a routing id (a rebooted board would ignore a known one). It
// never reconnects by itself: ClientCore decides when a new link is opened, because a new
// connection needs the lease again.
//
// A board may have several addresses, of which it listens at one: they are tried one after the
// other, and only the last one's failure is told. A link that is opened again begins with the
// address that worked, or with the next one if none did.
class ZmqLink {
 public:
  explicit ZmqLink(ZmqHub& hub);
  ~ZmqLink();
  ZmqLink(const ZmqLink&) = delete;
  ZmqLink& operator=(const ZmqLink&) = delete;

  // Starts to connect, after closing what was open. LinkUp, LinkDown or LinkRefused follows from
  // Next().
  //
  // board: its endpoint is for messages. addresses: of its host or, of a board that connects, of where to
  // listen for it: at least one.
  //
  // Errors:
  //   kInvalidArgument  an address or a key cannot be read, or a board that connects has another one's
  //                     key or endpoint.
  //   Also BoardPort::Open()'s, which hold for all boards of the hub for ten seconds.
  Status Open(const BoardAddress& board, std::vector<Endpoint> addresses, const AgentKeys& keys);

  // Drops what was not sent and what was not read.
  void Close();

  // Sends now or as soon as the connection takes it; drops the message if no link is open.
  void Send(const Message& message);

  // The next thing that happened on the link, or nothing.
  std::optional<ClientEvent> Next();

 private:
  friend class ZmqHub;
  struct Impl;

  Status OpenAtPort(const BoardAddress& board, const std::vector<Endpoint>& addresses,
                    const AgentKeys& keys);

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

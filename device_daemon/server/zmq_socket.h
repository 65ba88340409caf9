// ZeroMQ inside one single-threaded Boost.Asio io_context. The only header of the daemon that
// speaks of ZeroMQ; zmq.hpp itself stays in zmq_socket.cc.
//
// ZMQ_FD is edge triggered: one readable event may stand for many messages, and any send or receive
// may swallow an edge that was meant for the other direction. So a socket always tries first,
// drains until nothing is left, and looks at ZMQ_EVENTS again after every send and receive.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.
#include <vector>

#include <boost/asio/io_context.hpp>

#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {

// A CURVE key pair; both Z85, 40 characters.
struct CurveKeys {
  std::string public_key;
  std::string secret_key;
};

CurveKeys MakeCurveKeys();
// Errors: kInvalidArgument if `secret_key` is not a Z85 key.
Result<std::string> CurvePublicKey(const std::string& secret_key);
bool IsCurveKey(const std::string& text);
// REQUIRES: key.size() == 32.
std::string EncodeZ85(std::string_view key);

std::string ZmqVersion();   // "4.3.4"
Status CheckZmqSecurity();  // Refuses a libzmq without CURVE, or older than 4.3.3 (CVE-2020-15166).

// Ends its sockets' I/O thread when destroyed; every ZmqSocket must be gone by then.
class ZmqContext {
 public:
  ZmqContext();
  ~ZmqContext();
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// One multipart message. A router's first frame is the peer's routing id.
struct ZmqMessage {
  std::vector<std::string> frames;
  std::string user_id;  // What the ZAP handler called the peer; empty if it did not authenticate.
  std::string peer_address;  // "192.0.2.7", for logs.
};

// What became of a connection, for logs.
struct HandshakeFailure {
  std::string peer_address;  // "192.0.2.7:40123"
  std::string reason;
  bool is_known_to_gate = false;  // the ZAP handler refused it, and knows its key
};

// What became of a client's connection.
enum class LinkEvent {
  kUp,       // The server is the one expected, and let us in.
  kRefused,  // It is not, or did not.
  kDown,     // It is gone, or was not there.
};

enum class ZmqSocketKind { kRouter, kDealer, kReply };

// Not thread-safe: use it where the io_context runs. Handlers may send.
class ZmqSocket {
 public:
  // Frames beyond this many of one message are counted, but not kept.
  static constexpr std::size_t kMaxFramesKept = 8;

  ZmqSocket(boost::asio::io_context& io, ZmqContext& context, ZmqSocketKind kind);
  ~ZmqSocket();
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  // CURVE server: only peers whom the ZAP handler of domain "bitpilot" accepts get in, and nobody
  // does while no handler answers (ZMQ_ZAP_ENFORCE_DOMAIN).
  Status SecureAsServer(const std::string& secret_key);
  Status SecureAsClient(const std::string& server_public_key, const CurveKeys& keys);
  // Bounds for hostile and broken peers: sizes, queues, handshake time, heartbeats.
  Status LimitPeers(std::size_t max_frame_bytes);

  // A tcp:// endpoint is ParseEndpoint()'s; the socket listens at every address of a host name, [::]
  // takes IPv4, too.
  //
  // Errors: kInvalidArgument, kNotFound as ParseEndpoint() and ResolveEndpoint(); kUnavailable names
  // the endpoint and says why, e.g. that another program listens there.
  Status Bind(const std::string& endpoint);
  // All on one port: port 0 is the same free one for each. Addresses that this machine does not
  // have are left out, if it has one of the others.
  //
  // Errors: kUnavailable.
  Status Bind(const std::vector<Endpoint>& addresses);
  Status Connect(const std::string& endpoint);  // inproc:// or an address, not a name.
  // Once: it is for the caller to connect another socket when this link ends.
  //
  // REQUIRES: an address, not a name: all sockets of the context would wait for the name service.
  Status ConnectOnce(const Endpoint& address);
  // As given to Bind(), with the port that the system chose for ":0".
  const std::string& bound_endpoint() const;

  // Calls `handler` for every message from now on.
  void OnMessage(std::function<void(ZmqMessage)> handler);
  // Calls `handler` for every connection that is refused before a message could come.
  Status OnHandshakeFailure(std::function<void(HandshakeFailure)> handler);
  // Of a dealer: calls `handler` for what becomes of its connection. The socket may be destroyed in
  // it. REQUIRES: before it connects, and not both of these.
  Status OnLink(std::function<void(LinkEvent)> handler);

  // Never blocks.
  //
  // Errors: kUnavailable if the peer is gone, kResourceExhausted if it does not read; nothing was
  // sent.
  Status Send(const std::vector<std::string>& frames);

  // How long unsent messages may delay the end of the program.
  void SetLinger(int limit_ms);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace bitpilot

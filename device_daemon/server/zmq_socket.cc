#include "device_daemon/server/zmq_socket.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>

#include <zmq.hpp>

#include "device_daemon/server/edge_waiter.h"
#include "device_daemon/server/peer_address.h"
#include "proto/bind_error.h"
#include "proto/zap.h"

namespace bitpilot {
namespace {

namespace asio = boost::asio;

constexpr int kHandshakeFailed = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kZ85Characters = 40;

int ToZmq(ZmqSocketKind kind) {
  switch (kind) {
    case ZmqSocketKind::kRouter:
      return ZMQ_ROUTER;
    case ZmqSocketKind::kDealer:
      return ZMQ_DEALER;
    case ZmqSocketKind::kReply:
      return ZMQ_REP;
  }
  return ZMQ_PAIR;
}

Status LastError(StatusCode code, std::string_view what) {
  return {code, std::string(what) + ": " + zmq_strerror(zmq_errno())};
}

Status SetInt(void* socket, int option, std::string_view name, int value) {
  if (zmq_setsockopt(socket, option, &value, sizeof value) == 0) return {};
  return LastError(StatusCode::kInternal, "libzmq refuses socket option " + std::string(name));
}

Status SetText(void* socket, int option, std::string_view name, const std::string& value) {
  if (zmq_setsockopt(socket, option, value.data(), value.size()) == 0) return {};
  return LastError(StatusCode::kInternal, "libzmq refuses socket option " + std::string(name));
}

std::string Property(zmq::message_t& message, const char* name) {
  const char* value = zmq_msg_gets(message.handle(), name);
  return value == nullptr ? "" : value;
}

bool IsReadable(zmq::socket_t& socket) {
  int events = 0;
  std::size_t size = sizeof events;
  while (zmq_getsockopt(socket.handle(), ZMQ_EVENTS, &events, &size) != 0) {
    if (zmq_errno() != EINTR) return false;
  }
  return (events & ZMQ_POLLIN) != 0;
}

// One message, or nothing if none waits.
bool ReceiveOne(zmq::socket_t& socket, ZmqMessage& out) {
  out = {};
  std::size_t num_frames = 0;
  for (bool more = true; more; ++num_frames) {
    zmq::message_t frame;
    if (zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) return false;
    more = frame.more();
    if (num_frames < ZmqSocket::kMaxFramesKept) out.frames.push_back(frame.to_string());
    if (!more) {
      out.user_id = Property(frame, "User-Id");
      out.peer_address = Property(frame, "Peer-Address");
    }
  }
  return true;
}

}  // namespace

CurveKeys MakeCurveKeys() {
  std::array<char, kZ85Characters + 1> public_key{};
  std::array<char, kZ85Characters + 1> secret_key{};
  BITPILOT_CHECK(zmq_curve_keypair(public_key.data(), secret_key.data()) == 0);
  return {public_key.data(), secret_key.data()};
}

Result<std::string> CurvePublicKey(const std::string& secret_key) {
  std::array<char, kZ85Characters + 1> public_key{};
  if (!IsCurveKey(secret_key) || zmq_curve_public(public_key.data(), secret_key.c_str()) != 0) {
    return InvalidArgument("expected a CURVE secret key: 40 characters of Z85");
  }
  return std::string(public_key.data());
}

bool IsCurveKey(const std::string& text) {
  std::array<std::uint8_t, kKeyBytes> key{};
  return text.size() == kZ85Characters && zmq_z85_decode(key.data(), text.c_str()) != nullptr;
}

std::string EncodeZ85(std::string_view key) {
  BITPILOT_CHECK(key.size() == kKeyBytes);
  std::array<char, kZ85Characters + 1> text{};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(key.data()), key.size());
  return text.data();
}

std::string ZmqVersion() {
  const auto [major, minor, patch] = zmq::version();
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

Status CheckZmqSecurity() {
  if (zmq_has("curve") == 0) return Unsupported("this libzmq was built without CURVE");
  if (zmq::version() < std::make_tuple(4, 3, 3)) {
    return Unsupported("libzmq " + ZmqVersion() +
                       " can be starved by unauthenticated peers (CVE-2020-15166); 4.3.3 or "
                       "newer is needed");
  }
  return {};
}

struct ZmqContext::Impl {
  zmq::context_t context{1};
};

ZmqContext::ZmqContext() : impl_(std::make_unique<Impl>()) {}
ZmqContext::~ZmqContext() = default;

struct ZmqSocket::Impl : std::enable_shared_from_this<ZmqSocket::Impl> {
  Impl(asio::io_context& io_context, zmq::context_t& zmq_context, ZmqSocketKind kind)
      : io(io_context),
        context(zmq_context),
        is_router(kind == ZmqSocketKind::kRouter),
        socket(zmq_context, ToZmq(kind)) {
    socket.set(zmq::sockopt::linger, 0);
  }

  void DrainMessages();
  void DrainMonitor();
  void OnMonitorEvent(const zmq_event_t& event);

  asio::io_context& io;
  zmq::context_t& context;
  const bool is_router;
  zmq::socket_t socket;
  std::string bound_endpoint;  // The first.
  std::function<void(ZmqMessage)> on_message;
  std::shared_ptr<EdgeWaiter> waiter;
  Status Watch(int events);

  zmq::socket_t monitor;
  std::function<void(HandshakeFailure)> on_failure;
  std::function<void(LinkEvent)> on_link;
  std::shared_ptr<EdgeWaiter> monitor_waiter;
  std::deque<std::string> handshaking;  // Peers that connected and have not finished, oldest first.
};

void ZmqSocket::Impl::DrainMessages() {
  ZmqMessage message;
  // The loop ends after a share of messages, so that a flood cannot starve timers and other
  // sockets.
  for (int i = 0; i < 64 && ReceiveOne(socket, message); ++i) on_message(std::move(message));
}

void ZmqSocket::Impl::DrainMonitor() {
  ZmqMessage message;
  while (ReceiveOne(monitor, message)) {
    zmq_event_t event{};
    if (message.frames.empty() || message.frames[0].size() < 6) continue;
    std::memcpy(&event.event, message.frames[0].data(), sizeof event.event);
    std::memcpy(&event.value, message.frames[0].data() + sizeof event.event, sizeof event.value);
    OnMonitorEvent(event);
  }
}

void ZmqSocket::Impl::OnMonitorEvent(const zmq_event_t& event) {
  constexpr std::size_t kMaxRemembered = 256;
  if (on_link) {
    const bool is_down = event.event == ZMQ_EVENT_DISCONNECTED || event.event == ZMQ_EVENT_CLOSED;
    return on_link(event.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? LinkEvent::kUp
                   : is_down                                    ? LinkEvent::kDown
                                                                : LinkEvent::kRefused);
  }
  if (event.event == ZMQ_EVENT_ACCEPTED) {
    handshaking.push_back(PeerAddressOf(event.value));
    if (handshaking.size() > kMaxRemembered) handshaking.pop_front();
    return;
  }
  // Later events do not name their connection. Handshakes mostly end in the order in which they
  // began, so the oldest open one is meant; under a flood of strangers the address may be a
  // neighbour's.
  std::string peer = "an unknown address";
  if (!handshaking.empty()) {
    if (!handshaking.front().empty()) peer = handshaking.front();
    handshaking.pop_front();
  }
  switch (event.event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      on_failure({peer, "its key is not authorized", /*is_known_to_gate=*/true});
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      on_failure({peer, "it has no CURVE key, or not this daemon's public key"});
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      on_failure({peer, "it ended the connection before it authenticated"});
      break;
    default:
      break;
  }
}

ZmqSocket::ZmqSocket(asio::io_context& io, ZmqContext& context, ZmqSocketKind kind)
    : impl_(std::make_shared<Impl>(io, context.impl().context, kind)) {}

ZmqSocket::~ZmqSocket() {
  if (impl_->waiter) impl_->waiter->Stop();
  if (impl_->monitor_waiter) impl_->monitor_waiter->Stop();
}

Status ZmqSocket::SecureAsServer(const std::string& secret_key) {
  void* socket = impl_->socket.handle();
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_CURVE_SERVER, "CURVE_SERVER", 1));
  BITPILOT_RETURN_IF_ERROR(SetText(socket, ZMQ_CURVE_SECRETKEY, "CURVE_SECRETKEY", secret_key));
  BITPILOT_RETURN_IF_ERROR(SetText(socket, ZMQ_ZAP_DOMAIN, "ZAP_DOMAIN", kZapDomain));
  return SetInt(socket, kZapEnforceDomain, "ZAP_ENFORCE_DOMAIN", 1);
}

Status ZmqSocket::SecureAsClient(const std::string& server_public_key, const CurveKeys& keys) {
  void* socket = impl_->socket.handle();
  BITPILOT_RETURN_IF_ERROR(
      SetText(socket, ZMQ_CURVE_SERVERKEY, "CURVE_SERVERKEY", server_public_key));
  BITPILOT_RETURN_IF_ERROR(
      SetText(socket, ZMQ_CURVE_PUBLICKEY, "CURVE_PUBLICKEY", keys.public_key));
  return SetText(socket, ZMQ_CURVE_SECRETKEY, "CURVE_SECRETKEY", keys.secret_key);
}

Status ZmqSocket::LimitPeers(std::size_t max_frame_bytes) {
  void* socket = impl_->socket.handle();
  const auto max_bytes = static_cast<std::int64_t>(max_frame_bytes);
  if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) != 0) {
    return LastError(StatusCode::kInternal, "libzmq refuses socket option MAXMSGSIZE");
  }
  if (impl_->is_router) {
    BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_ROUTER_MANDATORY, "ROUTER_MANDATORY", 1));
    BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_ROUTER_HANDOVER, "ROUTER_HANDOVER", 0));
  }
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_SNDHWM, "SNDHWM", 64));
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_RCVHWM, "RCVHWM", 64));
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_HANDSHAKE_IVL, "HANDSHAKE_IVL", 5'000));
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_HEARTBEAT_IVL, "HEARTBEAT_IVL", 1'000));
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_HEARTBEAT_TIMEOUT, "HEARTBEAT_TIMEOUT", 3'000));
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_HEARTBEAT_TTL, "HEARTBEAT_TTL", 5'000));
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_TCP_KEEPALIVE, "TCP_KEEPALIVE", 1));
  return SetInt(socket, ZMQ_TCP_KEEPALIVE_IDLE, "TCP_KEEPALIVE_IDLE", 30);
}

Status ZmqSocket::Bind(const std::string& endpoint) {
  if (!endpoint.starts_with("tcp://")) {
    if (zmq_bind(impl_->socket.handle(), endpoint.c_str()) != 0) {
      return LastError(StatusCode::kUnavailable, "cannot listen on " + endpoint);
    }
    impl_->bound_endpoint = endpoint;
    return {};
  }
  Result<Endpoint> parsed = ParseEndpoint(endpoint, EndpointUse::kListen);
  if (!parsed.ok()) return parsed.status();
  const Result<std::vector<Endpoint>> addresses = ResolveEndpoint(*parsed);
  if (!addresses.ok()) return addresses.status();
  BITPILOT_RETURN_IF_ERROR(Bind(*addresses));
  parsed->port = ParseEndpoint(impl_->bound_endpoint, EndpointUse::kListen).value().port;
  impl_->bound_endpoint = ToString(*parsed);
  return {};
}

Status ZmqSocket::Bind(const std::vector<Endpoint>& addresses) {
  BITPILOT_CHECK(!addresses.empty());
  Status why_not;
  for (Endpoint address : addresses) {
    if (!impl_->bound_endpoint.empty()) {
      address.port = ParseEndpoint(impl_->bound_endpoint, EndpointUse::kListen).value().port;
    }
    BITPILOT_RETURN_IF_ERROR(
        SetInt(impl_->socket.handle(), ZMQ_IPV6, "IPV6", address.is_ipv6() ? 1 : 0));
    if (zmq_bind(impl_->socket.handle(), ToString(address).c_str()) == 0) {
      if (impl_->bound_endpoint.empty()) {
        impl_->bound_endpoint = impl_->socket.get(zmq::sockopt::last_endpoint);
      }
      continue;
    }
    const int error = zmq_errno();
    why_not = BindError(address, error);
    if (!IsNoAddressHere(error)) return why_not;
  }
  return impl_->bound_endpoint.empty() ? why_not : Status();
}

Status ZmqSocket::Connect(const std::string& endpoint) {
  BITPILOT_RETURN_IF_ERROR(SetInt(impl_->socket.handle(), ZMQ_IPV6, "IPV6",
                                  endpoint.find('[') == std::string::npos ? 0 : 1));
  if (zmq_connect(impl_->socket.handle(), endpoint.c_str()) == 0) return {};
  return LastError(StatusCode::kUnavailable, "cannot connect to " + endpoint);
}

Status ZmqSocket::ConnectOnce(const Endpoint& address) {
  void* socket = impl_->socket.handle();
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_IPV6, "IPV6", address.is_ipv6() ? 1 : 0));
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_RECONNECT_IVL, "RECONNECT_IVL", -1));
  // What is sent before the link is up, or after it is down, is refused and not kept.
  BITPILOT_RETURN_IF_ERROR(SetInt(socket, ZMQ_IMMEDIATE, "IMMEDIATE", 1));
  if (zmq_connect(socket, ToString(address).c_str()) == 0) return {};
  return LastError(StatusCode::kUnavailable, "cannot connect to " + ToString(address));
}

const std::string& ZmqSocket::bound_endpoint() const { return impl_->bound_endpoint; }

void ZmqSocket::OnMessage(std::function<void(ZmqMessage)> handler) {
  BITPILOT_CHECK(impl_->waiter == nullptr);
  impl_->on_message = std::move(handler);
  const std::weak_ptr<Impl> weak = impl_;
  impl_->waiter = std::make_shared<EdgeWaiter>(
      impl_->io, impl_->socket.get(zmq::sockopt::fd),
      [impl = impl_.get()] { return IsReadable(impl->socket); },
      [weak] {
        if (const std::shared_ptr<Impl> impl = weak.lock()) impl->DrainMessages();
      });
  impl_->waiter->Wake();
}

Status ZmqSocket::OnHandshakeFailure(std::function<void(HandshakeFailure)> handler) {
  impl_->on_failure = std::move(handler);
  return impl_->Watch(ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | kHandshakeFailed);
}

Status ZmqSocket::OnLink(std::function<void(LinkEvent)> handler) {
  impl_->on_link = std::move(handler);
  return impl_->Watch(ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                      kHandshakeFailed);
}

// A socket that is gone frees its monitor's name only some time later.
Status ZmqSocket::Impl::Watch(int events) {
  BITPILOT_CHECK(monitor_waiter == nullptr);
  static std::atomic<int> monitors{0};
  const std::string endpoint = "inproc://monitor-" + std::to_string(++monitors);
  if (zmq_socket_monitor(socket.handle(), endpoint.c_str(), events) != 0) {
    return LastError(StatusCode::kInternal, "cannot watch handshakes");
  }
  monitor = zmq::socket_t(context, ZMQ_PAIR);
  monitor.set(zmq::sockopt::linger, 0);
  monitor.connect(endpoint);
  const std::weak_ptr<Impl> weak = weak_from_this();
  monitor_waiter = std::make_shared<EdgeWaiter>(
      io, monitor.get(zmq::sockopt::fd), [this] { return IsReadable(monitor); },
      [weak] {
        if (const std::shared_ptr<Impl> impl = weak.lock()) impl->DrainMonitor();
      });
  monitor_waiter->Wake();
  return {};
}

Status ZmqSocket::Send(const std::vector<std::string>& frames) {
  Status status;
  void* socket = impl_->socket.handle();
  for (std::size_t i = 0; i < frames.size() && status.ok(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    if (zmq_send(socket, frames[i].data(), frames[i].size(), ZMQ_DONTWAIT | more) < 0) {
      const bool is_full = zmq_errno() == EAGAIN;
      status = LastError(is_full ? StatusCode::kResourceExhausted : StatusCode::kUnavailable,
                         "cannot send");
    }
  }
  if (impl_->waiter) impl_->waiter->WakeIfReadable();
  return status;
}

void ZmqSocket::SetLinger(int limit_ms) { impl_->socket.set(zmq::sockopt::linger, limit_ms); }

}  // namespace bitpilot

#include "agent/fleet/zmq_link.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board_port.h"
#include "agent/fleet/zmq_socket.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using Clock = std::chrono::steady_clock;

// A link has a DEALER and both ends of its monitor, and a margin for links that are being closed.
constexpr int kSocketsPerLink = 3;
constexpr int kMostLinks = 4096;
constexpr int kDescriptorsPerLink = 6;
constexpr int kOtherDescriptors = 256;
// Of all addresses of a host together: less than ClientCore waits for a link.
constexpr std::chrono::milliseconds kConnectBudget{1800};

// How soon a port that could not be opened is tried again, by whichever board: each of them asks for it.
constexpr std::chrono::seconds kPortPause{10};

// How soon a board that does not read is tried again.
constexpr std::chrono::milliseconds kSendPause{10};

// What a monitor event means for the protocol; most mean nothing.
std::optional<ClientEvent> ToLinkEvent(std::uint16_t event) {
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return LinkUp{};
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return LinkRefused{true};
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      return LinkRefused{false};
    case ZMQ_EVENT_DISCONNECTED:
      return LinkDown{"the connection was closed"};
    case ZMQ_EVENT_CLOSED:
      return LinkDown{"nothing accepts connections there"};
    default:
      return std::nullopt;
  }
}

}  // namespace

struct ZmqHub::Impl {
  zmq::context_t context{1};
  int wake_fd = -1;
  std::unique_ptr<BoardPort>
      port;  // of boards that connect to this agent; null: there was none yet
  std::optional<Status> port_failure;  // why there is none
  Clock::time_point port_failed_at;
  std::vector<ZmqLink*> links;
  std::uint64_t num_sockets = 0;  // that were ever opened

  // The port, which is opened for the first board that connects.
  Status OpenPort(const std::string& endpoint, const std::vector<Endpoint>& addresses,
                  const AgentKeys& keys) {
    if (port && port->endpoint() == endpoint) return {};
    if (port) {
      return InvalidArgument("boards connect to one endpoint of an agent, " + port->endpoint() +
                             ", not also to " + endpoint);
    }
    if (port_failure && Clock::now() < port_failed_at + kPortPause) return *port_failure;
    Result<std::unique_ptr<BoardPort>> opened = BoardPort::Open(context, endpoint, addresses, keys);
    if (!opened.ok()) {
      port_failed_at = Clock::now();
      return port_failure.emplace(opened.status());
    }
    port = std::move(*opened);
    return {};
  }

  // Many boards need more descriptors than a shell grants at first.
  void AllowDescriptors() const {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted =
        std::min<rlim_t>(limit.rlim_max, kOtherDescriptors + kDescriptorsPerLink * links.size());
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
};

struct ZmqLink::Impl {
  ZmqHub::Impl& hub;
  zmq::socket_t socket;
  zmq::socket_t monitor;
  std::deque<std::vector<std::string>> unsent;
  std::string server_key;
  AgentKeys keys;
  std::vector<Endpoint> addresses;  // Of the host, the first one to try first.
  std::size_t tried = 0;            // Of them, the one under way included.
  bool is_up = false;
  Clock::time_point give_up_at;  // The present address, if there are others.
  std::string begin_with;        // The host to begin with at the next Open().
  std::string board_key;  // Of a board that connects to this agent: all of its link is the port's.

  explicit Impl(ZmqHub::Impl& of) : hub(of) {}
  void Connect(const Endpoint& address);
  void CloseSockets();
  bool HasMoreAddresses() const { return !is_up && tried < addresses.size(); }
  bool HasPortNews() const { return !board_key.empty() && hub.port->HasNews(board_key); }
  void TryNextAddress();
  std::optional<ClientEvent> NextLinkEvent();
  void Flush();
  std::optional<ClientEvent> NextMessage();
  std::optional<ClientEvent> NextMonitorEvent();
};

// Throws zmq::error_t.
void ZmqLink::Impl::Connect(const Endpoint& address) {
  socket = zmq::socket_t(hub.context, zmq::socket_type::dealer);
  SetPeerLimits(socket);
  // Without it, requests queue up for an absent board, which then executes stale ones.
  socket.set(zmq::sockopt::immediate, true);
  socket.set(zmq::sockopt::reconnect_ivl, -1);
  socket.set(zmq::sockopt::ipv6, address.is_ipv6());
  socket.set(zmq::sockopt::curve_serverkey, server_key);
  socket.set(zmq::sockopt::curve_publickey, keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  // A name of its own: the last socket's is free only when libzmq has got around to closing it.
  const std::string monitor_endpoint = "inproc://monitor-" + std::to_string(++hub.num_sockets);
  if (zmq_socket_monitor(socket.handle(), monitor_endpoint.c_str(), ZMQ_EVENT_ALL) != 0) {
    throw zmq::error_t();
  }
  monitor = zmq::socket_t(hub.context, zmq::socket_type::pair);
  monitor.set(zmq::sockopt::linger, 0);
  monitor.connect(monitor_endpoint);
  socket.connect(ToString(address));
}

void ZmqLink::Impl::CloseSockets() {
  if (socket) zmq_socket_monitor(socket.handle(), nullptr, 0);
  monitor.close();
  socket.close();
}

// REQUIRES: tried < addresses.size().
void ZmqLink::Impl::TryNextAddress() {
  CloseSockets();
  const Endpoint& address = addresses[tried++];
  begin_with = addresses[tried % addresses.size()].host;
  give_up_at = Clock::now() + kConnectBudget / static_cast<int>(addresses.size());
  Connect(address);
}

std::optional<ClientEvent> ZmqLink::Impl::NextLinkEvent() {
  for (;;) {
    std::optional<ClientEvent> event = NextMonitorEvent();
    if (event && std::holds_alternative<LinkUp>(*event)) {
      is_up = true;
      begin_with = addresses[tried - 1].host;
    }
    // Who refuses our key has proved to be the board.
    const auto* refused = event ? std::get_if<LinkRefused>(&*event) : nullptr;
    const bool failed =
        event ? refused == nullptr || !refused->by_daemon : Clock::now() >= give_up_at;
    if (!failed || !HasMoreAddresses()) return event;
    try {
      TryNextAddress();
    } catch (const zmq::error_t& error) {
      return LinkDown{error.what()};
    }
  }
}

void ZmqLink::Impl::Flush() {
  while (socket && !unsent.empty() && SendFrames(socket, unsent.front()) == Sent::kAll) {
    unsent.pop_front();
  }
}

std::optional<ClientEvent> ZmqLink::Impl::NextMessage() {
  const std::vector<zmq::message_t> frames = ReceiveFrames(socket);
  if (frames.empty()) return std::nullopt;
  Result<Message> message = DecodeFrames(frames, 0);
  if (!message.ok()) return GarbageReceived{message.status()};
  return MessageReceived{std::move(message).value()};
}

std::optional<ClientEvent> ZmqLink::Impl::NextMonitorEvent() {
  for (;;) {
    const std::vector<zmq::message_t> frames = ReceiveFrames(monitor);
    if (frames.empty()) return std::nullopt;
    std::uint16_t event = 0;
    BITPILOT_CHECK(frames[0].size() >= sizeof(event));
    std::memcpy(&event, frames[0].data(), sizeof(event));
    if (std::optional<ClientEvent> link_event = ToLinkEvent(event)) return link_event;
  }
}

ZmqHub::ZmqHub() : impl_(std::make_unique<Impl>()) {
  zmq_ctx_set(impl_->context.handle(), ZMQ_MAX_SOCKETS, kSocketsPerLink * kMostLinks);
  impl_->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  BITPILOT_CHECK(impl_->wake_fd >= 0);
}

ZmqHub::~ZmqHub() {
  BITPILOT_CHECK(impl_->links.empty());
  close(impl_->wake_fd);
}

std::vector<ZmqLink*> ZmqHub::Wait(std::chrono::milliseconds timeout) {
  std::vector<zmq::pollitem_t> items{{nullptr, impl_->wake_fd, ZMQ_POLLIN, 0}};
  std::vector<ZmqLink*> polled;
  for (ZmqLink* link : impl_->links) {
    ZmqLink::Impl& one = *link->impl_;
    if (!one.socket) continue;
    if (one.HasMoreAddresses()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(one.give_up_at - Clock::now());
      timeout = std::clamp(left, std::chrono::milliseconds{0}, timeout);
    }
    const auto events = static_cast<short>(ZMQ_POLLIN | (one.unsent.empty() ? 0 : ZMQ_POLLOUT));
    items.push_back({one.socket.handle(), 0, events, 0});
    items.push_back({one.monitor.handle(), 0, ZMQ_POLLIN, 0});
    polled.push_back(link);
  }
  if (impl_->port) {
    impl_->port->AddPollItems(items);
    if (impl_->port->HasUnsent()) timeout = std::min(timeout, kSendPause);
  }
  if (std::any_of(impl_->links.begin(), impl_->links.end(),
                  [](const ZmqLink* link) { return link->impl_->HasPortNews(); })) {
    timeout = std::chrono::milliseconds{0};
  }
  // A signal ends the wait early, which costs nothing.
  zmq_poll(items.data(), static_cast<int>(items.size()), timeout.count());
  std::uint64_t wakes = 0;
  while (read(impl_->wake_fd, &wakes, sizeof(wakes)) > 0) {
  }
  if (impl_->port) impl_->port->Work();
  std::vector<ZmqLink*> ready;
  for (ZmqLink* link : impl_->links) {
    if (link->impl_->HasPortNews()) ready.push_back(link);
  }
  for (std::size_t i = 0; i < polled.size(); ++i) {
    ZmqLink::Impl& one = *polled[i]->impl_;
    const bool is_late = one.HasMoreAddresses() && Clock::now() >= one.give_up_at;
    if (items[2 * i + 1].revents != 0 || items[2 * i + 2].revents != 0 || is_late) {
      ready.push_back(polled[i]);
    }
  }
  return ready;
}

void ZmqHub::Wake() {
  const std::uint64_t one = 1;
  // Fails only if the counter is full; then the wait ends anyway.
  [[maybe_unused]] const ssize_t written = write(impl_->wake_fd, &one, sizeof(one));
}

ZmqLink::ZmqLink(ZmqHub& hub) : impl_(std::make_unique<Impl>(*hub.impl_)) {
  impl_->hub.links.push_back(this);
  impl_->hub.AllowDescriptors();
}

ZmqLink::~ZmqLink() {
  Close();
  if (!impl_->board_key.empty()) impl_->hub.port->Forget(impl_->board_key);
  std::erase(impl_->hub.links, this);
}

Status ZmqLink::Open(const BoardAddress& board, std::vector<Endpoint> addresses,
                     const AgentKeys& keys) {
  Close();
  BITPILOT_CHECK(!addresses.empty());
  if (!IsCurveKey(board.public_key)) {
    return InvalidArgument("public_key of board '" + board.name +
                           "' must be 40 characters of Z85, got '" + board.public_key + "'");
  }
  if (!IsCurveKey(keys.public_key) || !IsCurveKey(keys.secret_key)) {
    return InvalidArgument("the agent's keys must be 40 characters of Z85 each");
  }
  if (board.connects) return OpenAtPort(board, addresses, keys);
  impl_->server_key = board.public_key;
  impl_->keys = keys;
  impl_->addresses = std::move(addresses);
  const auto first =
      std::find_if(impl_->addresses.begin(), impl_->addresses.end(),
                   [this](const Endpoint& one) { return one.host == impl_->begin_with; });
  if (first != impl_->addresses.end()) {
    std::rotate(impl_->addresses.begin(), first, impl_->addresses.end());
  }
  try {
    impl_->TryNextAddress();
  } catch (const zmq::error_t& error) {
    Close();
    return InvalidArgument("cannot connect to endpoint '" + board.endpoint + "' of board '" +
                           board.name + "': " + error.what());
  }
  return {};
}

// The board stays expected at the port for as long as this object lives: it comes when it can.
Status ZmqLink::OpenAtPort(const BoardAddress& board, const std::vector<Endpoint>& addresses,
                           const AgentKeys& keys) {
  BITPILOT_RETURN_IF_ERROR(impl_->hub.OpenPort(board.endpoint, addresses, keys));
  BoardPort& port = *impl_->hub.port;
  if (impl_->board_key != board.public_key) {
    if (!impl_->board_key.empty()) port.Forget(std::exchange(impl_->board_key, ""));
    if (!port.Expect(board.public_key)) {
      return InvalidArgument("two boards connect with the key of board '" + board.name +
                             "', by which they are told apart");
    }
    impl_->board_key = board.public_key;
  }
  port.OpenLink(impl_->board_key);
  return {};
}

void ZmqLink::Close() {
  if (!impl_->board_key.empty()) impl_->hub.port->CloseLink(impl_->board_key);
  impl_->unsent.clear();
  impl_->CloseSockets();
  impl_->addresses.clear();
  impl_->tried = 0;
  impl_->is_up = false;
}

void ZmqLink::Send(const Message& message) {
  if (!impl_->board_key.empty()) {
    return impl_->hub.port->Send(impl_->board_key, EncodeMessage(message));
  }
  if (!impl_->socket) return;
  impl_->unsent.push_back(EncodeMessage(message));
  impl_->Flush();
}

std::optional<ClientEvent> ZmqLink::Next() {
  if (!impl_->board_key.empty()) return impl_->hub.port->Next(impl_->board_key);
  if (!impl_->socket) return std::nullopt;
  impl_->Flush();
  // Messages first: a board's last words count even if its connection is gone.
  if (std::optional<ClientEvent> event = impl_->NextMessage()) return event;
  return impl_->NextLinkEvent();
}

AgentKeys GenerateCurveKeys() {
  char public_key[kZ85KeyLength + 1];
  char secret_key[kZ85KeyLength + 1];
  BITPILOT_CHECK(zmq_curve_keypair(public_key, secret_key) == 0);
  return {public_key, secret_key};
}

Result<std::string> PublicKeyOf(const std::string& secret_key) {
  char public_key[kZ85KeyLength + 1];
  if (!IsCurveKey(secret_key) || zmq_curve_public(public_key, secret_key.c_str()) != 0) {
    return InvalidArgument("a key has 40 characters of Z85");
  }
  return std::string(public_key);
}

}  // namespace bitpilot

#include "agent/fleet/board_port.h"

#include <algorithm>
#include <utility>

#include "kernels/base/check.h"
#include "proto/bind_error.h"

namespace bitpilot {
namespace {

// Of one board, that nobody asked for yet. What is beyond is dropped: boards send their results again.
constexpr std::size_t kMaxNews = 256;
constexpr int kMessagesARound = 256;

}  // namespace

BoardPort::BoardPort(zmq::context_t& context, std::string endpoint)
    : endpoint_(std::move(endpoint)),
      admission_(context),
      router_(context, zmq::socket_type::router) {}

Result<std::unique_ptr<BoardPort>> BoardPort::Open(zmq::context_t& context,
                                                   const std::string& endpoint,
                                                   const std::vector<Endpoint>& addresses,
                                                   const AgentKeys& keys) {
  BITPILOT_CHECK(!addresses.empty());
  BITPILOT_RETURN_IF_ERROR(EnsureBoardAdmission());
  try {
    std::unique_ptr<BoardPort> port(new BoardPort(context, endpoint));
    SetPeerLimits(port->router_);
    port->router_.set(zmq::sockopt::router_mandatory, true);
    SecureAsServer(port->router_, keys.secret_key);
    BITPILOT_RETURN_IF_ERROR(port->Bind(addresses));
    return port;
  } catch (const zmq::error_t& error) {
    return Status(StatusCode::kUnavailable,
                  "cannot listen for boards at " + endpoint + ": " + error.what());
  }
}

Status BoardPort::Bind(const std::vector<Endpoint>& addresses) {
  Status why_not;
  for (Endpoint address : addresses) {
    if (!bound_endpoint_.empty()) {
      address.port = ParseEndpoint(bound_endpoint_, EndpointUse::kListen).value().port;
    }
    router_.set(zmq::sockopt::ipv6, address.is_ipv6());
    if (zmq_bind(router_.handle(), ToString(address).c_str()) == 0) {
      if (bound_endpoint_.empty()) bound_endpoint_ = router_.get(zmq::sockopt::last_endpoint);
      continue;
    }
    const int error = zmq_errno();
    why_not = BindError(address, error)
                  .WithContext("listen: boards connect to one bitpilot of this machine at a time");
    if (!IsNoAddressHere(error)) return why_not;
  }
  return bound_endpoint_.empty() ? why_not : Status();
}

bool BoardPort::Expect(const std::string& board_key) {
  admission_.Admit(board_key);
  return places_.try_emplace(board_key).second;
}

void BoardPort::Forget(const std::string& board_key) {
  admission_.Dismiss(board_key);
  places_.erase(board_key);
}

void BoardPort::OpenLink(const std::string& board_key) {
  CloseLink(board_key);
  Place& place = places_.at(board_key);
  place.is_open = true;
  if (!place.route.empty()) TellUp(place);
}

void BoardPort::CloseLink(const std::string& board_key) {
  Place& place = places_.at(board_key);
  place.is_open = place.is_up = false;
  place.news.clear();
  place.unsent.clear();
}

void BoardPort::Send(const std::string& board_key, std::vector<std::string> frames) {
  Place& place = places_.at(board_key);
  if (!place.is_up) return;
  frames.insert(frames.begin(), place.route);
  place.unsent.push_back(std::move(frames));
  Flush(place);
}

std::optional<ClientEvent> BoardPort::Next(const std::string& board_key) {
  std::deque<ClientEvent>& news = places_.at(board_key).news;
  if (news.empty()) return std::nullopt;
  ClientEvent event = std::move(news.front());
  news.pop_front();
  return event;
}

bool BoardPort::HasNews(const std::string& board_key) const {
  return !places_.at(board_key).news.empty();
}

void BoardPort::AddPollItems(std::vector<zmq::pollitem_t>& items) {
  items.push_back({router_.handle(), 0, ZMQ_POLLIN, 0});
  items.push_back({admission_.socket().handle(), 0, ZMQ_POLLIN, 0});
}

bool BoardPort::HasUnsent() const {
  return std::any_of(places_.begin(), places_.end(),
                     [](const auto& one) { return !one.second.unsent.empty(); });
}

void BoardPort::Work() {
  admission_.AnswerAll();
  for (int i = 0; i < kMessagesARound; ++i) {
    const std::vector<zmq::message_t> frames = ReceiveFrames(router_);
    if (frames.empty()) break;
    Take(frames);
  }
  for (auto& [key, place] : places_) Flush(place);
}

// frames: the route, and what the board sent.
void BoardPort::Take(const std::vector<zmq::message_t>& frames) {
  const char* const user_id = zmq_msg_gets(frames.back().handle(), "User-Id");
  // The second line of defence, should libzmq ever deliver what was not admitted; and boards that were
  // forgotten since.
  const auto found = user_id == nullptr ? places_.end() : places_.find(user_id);
  if (found == places_.end()) return;
  Place& place = found->second;
  const std::string route = frames.front().to_string();
  Result<Message> message = DecodeFrames(frames, 1);
  if (message.ok() && message->envelope.has_announce()) {
    const bool was_up = place.is_up;
    place.route = route;
    if (was_up) TellDown(place, "it connected anew");
    if (!was_up && place.is_open) TellUp(place);
    return;
  }
  // What is left of an earlier connection.
  if (route != place.route || !place.is_up || place.news.size() >= kMaxNews) return;
  if (message.ok()) {
    place.news.emplace_back(MessageReceived{std::move(*message)});
  } else {
    place.news.emplace_back(GarbageReceived{message.status()});
  }
}

void BoardPort::TellUp(Place& place) {
  place.is_up = true;
  place.news.emplace_back(LinkUp{});
}

void BoardPort::TellDown(Place& place, const std::string& why) {
  place.is_open = place.is_up = false;
  place.unsent.clear();
  place.news.emplace_back(LinkDown{why});
}

void BoardPort::Flush(Place& place) {
  while (!place.unsent.empty()) {
    const Sent sent = SendFrames(router_, place.unsent.front());
    if (sent == Sent::kNotNow) return;
    if (sent == Sent::kNoPeer) {
      place.route.clear();
      return TellDown(place, "the connection was closed");
    }
    place.unsent.pop_front();
  }
}

}  // namespace bitpilot

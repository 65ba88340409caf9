#include "device_daemon/server/outward_link.h"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace bitpilot {

OutwardLink::OutwardLink(boost::asio::io_context& io, ZmqContext& context, CurveKeys own_keys,
                         Endpoint agent, std::size_t max_frame_bytes, Handlers handlers,
                         HostLookup::Resolve resolve)
    : io_(io),
      context_(context),
      own_keys_(std::move(own_keys)),
      agent_(std::move(agent)),
      max_frame_bytes_(max_frame_bytes),
      handlers_(std::move(handlers)),
      resolve_(std::move(resolve)),
      timer_(io) {}

void OutwardLink::Start() {
  socket_.reset();
  lookup_.reset();
  addresses_.clear();
  is_up_ = false;
  pause_ = kFirstPause;
  Open();
}

void OutwardLink::Open() {
  const Result<std::string> whom = handlers_.whom();
  if (!whom.ok()) {
    addresses_.clear();
    return EndAttempt(whom.status().message());
  }
  expected_ = *whom;
  if (addresses_.empty()) return LookUp();
  const Endpoint address = std::move(addresses_.front());
  addresses_.pop_front();
  const Status status = Connect(address);
  if (!status.ok()) return EndAttempt(status.message());
  After(kAttemptLimit, [this] { EndAttempt("nobody answers"); });
}

// A slow name service is not asked again before it has answered.
void OutwardLink::LookUp() {
  After(kAttemptLimit, [this] { Say("the name service has not answered yet"); });
  lookup_ = std::make_unique<HostLookup>(io_, agent_, resolve_,
                                         [this](Result<std::vector<Endpoint>> found) {
                                           lookup_.reset();
                                           if (!found.ok())
                                             return EndAttempt(found.status().message());
                                           addresses_.assign(found->begin(), found->end());
                                           Open();
                                         });
}

Status OutwardLink::Connect(const Endpoint& address) {
  socket_ = std::make_unique<ZmqSocket>(io_, context_, ZmqSocketKind::kDealer);
  BITPILOT_RETURN_IF_ERROR(socket_->SecureAsClient(expected_, own_keys_));
  BITPILOT_RETURN_IF_ERROR(socket_->LimitPeers(max_frame_bytes_));
  // Not within the handler, which runs in the middle of the socket's own work.
  BITPILOT_RETURN_IF_ERROR(socket_->OnLink([this, attempt = ++attempt_](LinkEvent event) {
    boost::asio::post(io_, [this, attempt, event] {
      if (socket_ && attempt == attempt_) OnLink(event);
    });
  }));
  socket_->OnMessage([this](ZmqMessage message) {
    if (is_up_) handlers_.on_message(std::move(message));
  });
  return socket_->ConnectOnce(address);
}

void OutwardLink::OnLink(LinkEvent event) {
  if (event == LinkEvent::kRefused) {
    return EndAttempt(
        "it has another key than the agent that is expected, or refuses this board's");
  }
  if (event == LinkEvent::kDown) return EndAttempt(is_up_ ? "it went away" : "nobody answers");
  is_up_ = true;
  pause_ = kFirstPause;
  said_.clear();
  addresses_.clear();  // They may be others when it is back.
  ++turn_;
  timer_.cancel();
  handlers_.on_up();
}

void OutwardLink::EndAttempt(const std::string& why) {
  Say(why + "; trying again");
  socket_.reset();
  is_up_ = false;
  // A host may listen at one of its addresses only.
  const std::chrono::milliseconds pause = addresses_.empty() ? pause_ : kFirstPause;
  if (addresses_.empty()) pause_ = std::min(2 * pause_, kLongestPause);
  const auto permille = static_cast<int>(jitter_() % 401) + 800;
  After(pause * permille / 1000, [this] { Open(); });
}

void OutwardLink::Say(const std::string& trouble) {
  if (said_.insert(trouble).second) handlers_.on_trouble(ToString(agent_) + ": " + trouble);
}

void OutwardLink::After(std::chrono::milliseconds time, std::function<void()> then) {
  timer_.expires_after(time);
  timer_.async_wait(
      [this, turn = ++turn_, then = std::move(then)](const boost::system::error_code& error) {
        if (!error && turn == turn_) then();
      });
}

Status OutwardLink::Send(const std::vector<std::string>& frames) {
  if (!is_up_) return {StatusCode::kUnavailable, ToString(agent_) + " is not there"};
  return socket_->Send(frames);
}

}  // namespace bitpilot

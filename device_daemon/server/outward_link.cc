#include "device_daemon/server/outward_link.h"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace bitpilot {

OutwardLink::OutwardLink(boost::asio::io_context& io, ZmqContext& context, CurveKeys own_keys,
                         Endpoint agent, std::size_t max_frame_bytes, Handlers handlers)
    : io_(io),
      context_(context),
      own_keys_(std::move(own_keys)),
      agent_(std::move(agent)),
      max_frame_bytes_(max_frame_bytes),
      handlers_(std::move(handlers)),
      timer_(io),
      ipv6_(agent_.is_ipv6()) {}

void OutwardLink::Start() {
  socket_.reset();
  is_up_ = false;
  pause_ = kFirstPause;
  Open();
}

void OutwardLink::Open() {
  const Result<std::string> whom = handlers_.whom();
  if (!whom.ok()) return EndAttempt(whom.status().message());
  expected_ = *whom;
  const Status status = Connect();
  if (!status.ok()) return EndAttempt(status.message());
  After(kAttemptLimit, [this] { EndAttempt("nobody answers"); });
}

Status OutwardLink::Connect() {
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
  return socket_->ConnectOnce(agent_, ipv6_);
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
  ++turn_;
  timer_.cancel();
  handlers_.on_up();
}

void OutwardLink::EndAttempt(const std::string& why) {
  Say(why + "; trying again");
  socket_.reset();
  is_up_ = false;
  // A name may have addresses of both kinds, and listen at one.
  const bool is_name = agent_.host.find_first_not_of("0123456789.") != std::string::npos;
  if (is_name && !agent_.is_ipv6()) ipv6_ = !ipv6_;
  const auto permille = static_cast<int>(jitter_() % 401) + 800;
  After(pause_ * permille / 1000, [this] { Open(); });
  pause_ = std::min(2 * pause_, kLongestPause);
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

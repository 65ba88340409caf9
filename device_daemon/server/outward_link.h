// The link of a board that connects to its agent (`serve --connect`), as from behind a NAT. The agent is
// CURVE's server here; this side expects its public key and talks to nobody else.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/server/host_lookup.h"
#include "device_daemon/server/zmq_socket.h"
#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {

// Connects, and again with growing pauses whenever the link ends, for as long as it lives. Not
// thread-safe: use it where the io_context runs.
class OutwardLink {
 public:
  // An attempt that came to nothing by then is given up.
  static constexpr std::chrono::milliseconds kAttemptLimit{5'000};
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLongestPause{30'000};

  struct Handlers {
    // The public key to expect, asked for before every attempt: a key may have expired since the last.
    // An error says why there is none now; it is asked for again later.
    std::function<Result<std::string>()> whom;
    std::function<void()> on_up;  // The agent is there: the board is to announce itself.
    std::function<void(ZmqMessage)> on_message;
    std::function<void(const std::string&)> on_trouble;  // A line for the log, when it is news.
  };

  OutwardLink(boost::asio::io_context& io, ZmqContext& context, CurveKeys own_keys, Endpoint agent,
              std::size_t max_frame_bytes, Handlers handlers,
              HostLookup::Resolve resolve = ResolveEndpoint);

  // Begins. Again: ends a link that is there and an attempt under way, and begins anew.
  void Start();

  bool is_up() const { return is_up_; }
  // The key of the agent that is there, or of the latest attempt.
  const std::string& expected() const { return expected_; }

  // Errors: kUnavailable if there is no link, or as ZmqSocket::Send().
  Status Send(const std::vector<std::string>& frames);

  const Endpoint& agent() const { return agent_; }

 private:
  void Open();
  void LookUp();
  Status Connect(const Endpoint& address);
  void OnLink(LinkEvent event);
  void EndAttempt(const std::string& why);
  void Say(const std::string& trouble);
  // Replaces what was to happen.
  void After(std::chrono::milliseconds time, std::function<void()> then);

  boost::asio::io_context& io_;
  ZmqContext& context_;
  const CurveKeys own_keys_;
  const Endpoint agent_;
  const std::size_t max_frame_bytes_;
  Handlers handlers_;
  const HostLookup::Resolve resolve_;
  boost::asio::steady_timer timer_;
  std::uint64_t turn_ = 0;  // Of the timer: what an earlier one waited for may still come.
  std::string expected_;
  std::unique_ptr<HostLookup> lookup_;
  std::deque<Endpoint> addresses_;  // Of the agent's host, that are still to be tried.
  std::unique_ptr<ZmqSocket> socket_;
  std::uint64_t attempt_ = 0;  // Events of earlier ones may still come.
  bool is_up_ = false;
  std::chrono::milliseconds pause_ = kFirstPause;
  std::minstd_rand jitter_{std::random_device{}()};
  std::set<std::string> said_;  // Troubles, since the link was up last.
};

}  // namespace bitpilot

// All links of a board that connects to its agents (`serve --connect`): whom each expects, and the
// routes by which the protocol's core answers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.
#include <vector>

#include <boost/asio/io_context.hpp>

#include "device_daemon/core/daemon_events.h"
#include "device_daemon/server/keys.h"
#include "device_daemon/server/outward_link.h"
#include "device_daemon/server/zmq_socket.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Not thread-safe: use it where the io_context runs.
class OutwardLinks {
 public:
  struct Handlers {
    std::function<const AuthorizedAgents&()> agents;  // Who is authorized now.
    std::function<std::optional<Day>()> today;        // As WhyNotToday() takes it.
    std::function<Message()> announcement;            // The first message on every link.
    std::function<void(daemon::Peer, ZmqMessage)> on_message;
  };

  // agent_name: whom to expect everywhere, as ChooseExpectedAgent() takes it.
  OutwardLinks(boost::asio::io_context& io, ZmqContext& context, CurveKeys own_keys,
               std::string agent_name, std::string store_folder, std::size_t max_frame_bytes,
               Handlers handlers);

  // Errors: as ParseEndpoint().
  Status Open(const std::vector<std::string>& endpoints);

  // The list of agents changed. A link to an agent that is not on it, or is another than the one now
  // named, ends. Who is connected stays, whatever the clock says.
  void Reconsider();

  // Whether a peer's routing id is a link's: it names the link and the agent there.
  static bool IsRoute(std::string_view routing_id);
  // Errors: kUnavailable if that agent is not there, or as ZmqSocket::Send().
  Status Send(const std::string& routing_id, const std::vector<std::string>& frames);

 private:
  Result<std::string> Whom();
  bool MayStay(const std::string& public_key) const;
  void OnUp(std::size_t number);
  void Remember(const std::string& public_key);
  void Say(const std::string& note);
  std::string RouteOf(std::size_t number) const;

  boost::asio::io_context& io_;
  ZmqContext& context_;
  const CurveKeys own_keys_;
  const std::string agent_name_;
  const std::string store_folder_;
  const std::size_t max_frame_bytes_;
  const Handlers handlers_;
  std::string before_;  // Whom a link found last.
  std::string last_note_;
  std::vector<std::unique_ptr<OutwardLink>> links_;
};

}  // namespace bitpilot

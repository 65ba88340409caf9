// BoardPort: the one port at which boards connect to this agent (`bitpilotd serve --connect`, as from
// behind a NAT). The agent is CURVE's server there; who gets in, and which board it is, says its key.
//
// A board's first message on every connection is Announce: it counts as the link's coming up, and as
// the end of the connection that it had before. Included by sources of this folder alone, as
// zmq_socket.h.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/board_admission.h"
#include "agent/fleet/client_core.h"
#include "agent/fleet/zmq_socket.h"
#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {

class BoardPort {
 public:
  // Listens, once EnsureBoardAdmission() has passed: never waits where that was asked before.
  //
  // endpoint: for messages. addresses: of its host, where to listen.
  //
  // REQUIRES: !addresses.empty().
  //
  // Errors: EnsureBoardAdmission()'s; kUnavailable says why the endpoint cannot be listened at, e.g. that
  // another bitpilot has it.
  static Result<std::unique_ptr<BoardPort>> Open(zmq::context_t& context,
                                                 const std::string& endpoint,
                                                 const std::vector<Endpoint>& addresses,
                                                 const AgentKeys& keys);

  const std::string& endpoint() const { return endpoint_; }
  // As given to Open(), with the port that the system chose for ":0".
  const std::string& bound_endpoint() const { return bound_endpoint_; }

  // Lets a board in, from now on. False if that one is expected already.
  bool Expect(const std::string& board_key);
  // And not any more; what it sends is dropped.
  void Forget(const std::string& board_key);

  // Of an expected board, as ZmqLink's.
  void OpenLink(const std::string& board_key);
  void CloseLink(const std::string& board_key);
  void Send(const std::string& board_key, std::vector<std::string> frames);
  std::optional<ClientEvent> Next(const std::string& board_key);
  bool HasNews(const std::string& board_key) const;

  // For the wait of all sockets: what to poll; whether a board does not read, so that it must be tried
  // again soon; and then the work, which never waits.
  void AddPollItems(std::vector<zmq::pollitem_t>& items);
  bool HasUnsent() const;
  void Work();

 private:
  // An expected board.
  struct Place {
    std::string route;  // the router's name of its connection; empty: it has none
    bool is_open = false;
    bool is_up = false;  // of an open link: LinkUp was told
    std::deque<ClientEvent> news;
    std::deque<std::vector<std::string>> unsent;
  };

  BoardPort(zmq::context_t& context, std::string endpoint);
  Status Bind(const std::vector<Endpoint>& addresses);
  void Take(const std::vector<zmq::message_t>& frames);
  static void TellUp(Place& place);
  static void TellDown(Place& place, const std::string& why);
  void Flush(Place& place);

  const std::string endpoint_;
  std::string bound_endpoint_;
  BoardAdmission admission_;
  zmq::socket_t router_;
  std::map<std::string, Place> places_;  // by the board's key
};

}  // namespace bitpilot

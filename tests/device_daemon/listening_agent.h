// An agent that waits for boards behind a NAT to connect to it.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "device_daemon/server/gate.h"
#include "device_daemon/server/zmq_socket.h"

namespace bitpilot {

// CURVE's server, whose allow-list has the board's key.
class ListeningAgent {
 public:
  ListeningAgent(boost::asio::io_context& io, const CurveKeys& keys, const std::string& board_key,
                 const std::string& endpoint = "tcp://127.0.0.1:0")
      : gate_(
            io, context_, {{board_key, {"board"}}}, [] { return std::nullopt; },
            [](const std::string&) {}),
        router_(io, context_, ZmqSocketKind::kRouter) {
    EXPECT_TRUE(gate_.Open().ok());
    EXPECT_TRUE(router_.SecureAsServer(keys.secret_key).ok());
    EXPECT_TRUE(router_.LimitPeers(1 << 20).ok());
    EXPECT_TRUE(router_.Bind(endpoint).ok());
    router_.OnMessage([this](ZmqMessage message) { received_.push_back(std::move(message)); });
  }

  Endpoint endpoint() const {
    return ParseEndpoint(router_.bound_endpoint(), EndpointUse::kConnect).value();
  }
  const std::vector<ZmqMessage>& received() const { return received_; }
  // To the last one that spoke, who may have left.
  Status Answer(const std::string& text) {
    return router_.Send({received_.back().frames[0], text});
  }

 private:
  ZmqContext context_;
  Gate gate_;
  ZmqSocket router_;
  std::vector<ZmqMessage> received_;
};

}  // namespace bitpilot

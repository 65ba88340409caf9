// The least an agent must do, one blocking call after the other: for tests of the daemon over real
// sockets.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "device_daemon/server/zmq_socket.h"
#include "proto/framing.h"
#include "tests/device_daemon/test_networks.h"

namespace bitpilot {

class TestAgent {
 public:
  // Keys may be none: then the socket is plain.
  TestAgent(const std::string& endpoint, const std::string& server_key,
            const std::optional<CurveKeys>& keys);

  // Hello and a lease; the epoch, or 0 if either was not granted.
  std::uint64_t Connect(v1::LeaseRequest::Kind kind = v1::LeaseRequest::RESERVATION);
  // False if no session was opened.
  bool SayHello();
  // A lease of the session, as in Connect().
  std::uint64_t AskForLease(v1::LeaseRequest::Kind kind);
  // True if the whole file is on the board.
  bool Upload(const TestNetwork& network);

  // A request of this session with the next request_id.
  Message Request();
  Message MeasureRequest(const TestNetwork& network, char id);
  Message InferRequest(const TestNetwork& network, const std::string& pixels);

  void Send(const Message& message);
  void SendFrames(const std::vector<std::string>& frames);
  // False if the daemon does not read: nothing was sent.
  bool TrySend(const Message& message);
  // The next message, or nothing after `patience`.
  std::optional<Message> Receive(std::chrono::milliseconds patience = std::chrono::seconds{60});
  // The next message that is not MeasureProgress; an empty one after `patience`.
  Message Ask(const Message& message);
  // Sends, and skips MeasureAccepted and MeasureProgress.
  v1::MeasureResult Measure(const Message& message);
  v1::MeasureResult ReceiveResult();

  const std::string& pixels() const { return pixels_; }
  const v1::HelloAck& hello() const { return hello_; }
  const v1::DeviceCapabilities& capabilities() const { return hello_.capabilities(); }

 private:
  boost::asio::io_context io_;
  ZmqContext context_;
  std::unique_ptr<ZmqSocket> socket_;
  std::deque<Message> received_;
  std::string session_id_;
  std::uint64_t epoch_ = 0;
  std::uint64_t request_id_ = 0;
  v1::HelloAck hello_;
  std::string pixels_ = RandomPixels(3 * 32 * 32, 7);
};

}  // namespace bitpilot

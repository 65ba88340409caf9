// Who may talk to a daemon. Whoever is refused learns why, and the daemon serves on.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <zmq.hpp>

#include "agent/fleet/board.h"
#include "agent/fleet/zmq_link.h"
#include "proto/framing.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

class AuthenticationTest : public testing::Test {
 protected:
  void ExpectStillServing() {
    Result<std::unique_ptr<Board>> board = ConnectBoard(daemon_.address, keys_, ShortWaits());
    ASSERT_TRUE(board.ok()) << board.status().message();
    const Network network = SmallNetwork(1);
    EXPECT_TRUE((*board)->Infer(network, RandomImages(network, 1, 1)).ok());
  }

  int Port() const {
    return std::stoi(daemon_.address.endpoint.substr(daemon_.address.endpoint.rfind(':') + 1));
  }

  // The daemon's list, which it reads when it changes.
  void Authorize(const std::string& lines) const {
    std::ofstream(daemon_.process->directory() + "/authorized_agents") << lines;
  }

  // The daemon reads its list within a second.
  void ExpectRefusedSoon(const std::string& why) {
    Status status;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (status.code() != StatusCode::kPermissionDenied &&
           std::chrono::steady_clock::now() < end) {
      status = ConnectBoard(daemon_.address, keys_, ShortWaits()).status();
    }
    EXPECT_EQ(status.code(), StatusCode::kPermissionDenied) << status.message();
    EXPECT_NE(status.message().find(why), std::string::npos) << status.message();
  }

  const AgentKeys keys_ = GenerateCurveKeys();
  const RunningDaemon daemon_ = StartDaemon(keys_);
};

TEST_F(AuthenticationTest, ABoardHasTheNameOfTheFleetFileBesideItsDaemonsOwn) {
  BoardAddress desk = daemon_.address;
  desk.name = "desk";
  const auto board = ConnectBoard(desk, keys_, ShortWaits());
  ASSERT_TRUE(board.ok()) << board.status().message();
  EXPECT_EQ((*board)->listed_name(), "desk");
  EXPECT_NE((*board)->info().name, "desk");
}

TEST_F(AuthenticationTest, F34AnUnlistedKeyIsRefusedWithTheReason) {
  const auto board = ConnectBoard(daemon_.address, GenerateCurveKeys(), ShortWaits());
  ASSERT_FALSE(board.ok());
  EXPECT_EQ(board.status().code(), StatusCode::kPermissionDenied) << board.status().message();
  EXPECT_NE(board.status().message().find("authorized_agents"), std::string::npos)
      << board.status().message();
  ExpectStillServing();
}

TEST_F(AuthenticationTest, F34APublicKeyThatIsNotTheDaemonsIsNoticed) {
  BoardAddress wrong = daemon_.address;
  wrong.public_key = GenerateCurveKeys().public_key;
  const auto board = ConnectBoard(wrong, keys_, ShortWaits());
  ASSERT_FALSE(board.ok());
  EXPECT_EQ(board.status().code(), StatusCode::kPermissionDenied) << board.status().message();
  EXPECT_NE(board.status().message().find("public key"), std::string::npos)
      << board.status().message();
  ExpectStillServing();
}

// A daemon reads its list again by itself.
TEST_F(AuthenticationTest, F34ARevokedAgentIsToldSoInTheMiddleOfItsWork) {
  BoardOptions options = ShortWaits();
  options.reconnect_timeout = std::chrono::milliseconds(20'000);
  const auto board = ConnectBoard(daemon_.address, keys_, options);
  ASSERT_TRUE(board.ok()) << board.status().message();
  Authorize("# nobody\n");
  const Network network = SmallNetwork(1);
  Status status;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (status.ok() && std::chrono::steady_clock::now() < end) {
    status = (*board)->Infer(network, RandomImages(network, 1, 1)).status();
  }
  EXPECT_NE(status.message().find("refused this agent's key"), std::string::npos)
      << status.message();
}

TEST_F(AuthenticationTest, F34AnExpiredKeyIsRefused) {
  Authorize("agent " + keys_.public_key + " agent 2026-01-01\n");
  ExpectRefusedSoon("authorized_agents");
}

TEST_F(AuthenticationTest, F35AnObserverGetsNoLease) {
  Authorize("agent " + keys_.public_key + " observer\n");
  ExpectRefusedSoon("observer");
}

TEST_F(AuthenticationTest, KeysThatAreNoKeysAreRefusedBeforeConnecting) {
  BoardAddress wrong = daemon_.address;
  wrong.public_key = "short";
  EXPECT_EQ(ConnectBoard(wrong, keys_, ShortWaits()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ConnectBoard(daemon_.address, {"a", "b"}, ShortWaits()).status().code(),
            StatusCode::kInvalidArgument);
  BoardAddress nowhere = daemon_.address;
  nowhere.endpoint = "tcp//nowhere";
  EXPECT_EQ(ConnectBoard(nowhere, keys_, ShortWaits()).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(AuthenticationTest, AClientWithoutAnyKeyGetsNoAnswer) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::rcvtimeo, 500);
  socket.connect(daemon_.address.endpoint);
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  const std::vector<std::string> frames = EncodeMessage(hello);
  socket.send(zmq::buffer(frames[0]), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
  socket.send(zmq::buffer(frames[1]), zmq::send_flags::dontwait);
  zmq::message_t reply;
  EXPECT_FALSE(socket.recv(reply).has_value());
  ExpectStillServing();
}

TEST_F(AuthenticationTest, AnIdleConnectionAndAWebBrowserDoNotDisturbAgents) {
  int sockets[2];
  for (int& fd : sockets) {
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(Port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  const std::string request = "GET / HTTP/1.1\r\nHost: board\r\n\r\n";
  ASSERT_GT(send(sockets[1], request.data(), request.size(), MSG_NOSIGNAL), 0);
  ExpectStillServing();
  for (const int fd : sockets) close(fd);
}

TEST(ConnectBoardTest, SaysWhenNobodyListens) {
  const AgentKeys keys = GenerateCurveKeys();
  RunningDaemon daemon = StartDaemon(keys);
  daemon.process.reset();  // the port is closed now
  BoardOptions options = ShortWaits();
  options.connect_timeout = std::chrono::milliseconds(500);
  const auto board = ConnectBoard(daemon.address, keys, options);
  ASSERT_FALSE(board.ok());
  EXPECT_EQ(board.status().code(), StatusCode::kUnavailable) << board.status().message();
  EXPECT_NE(board.status().message().find(daemon.address.endpoint), std::string::npos)
      << board.status().message();
}

}  // namespace
}  // namespace bitpilot

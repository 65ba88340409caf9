// Real sockets on loopback.
#include "device_daemon/server/zmq_socket.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "device_daemon/server/gate.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

// Longest wait for what must happen; a pass takes milliseconds.
constexpr milliseconds kPatience{20'000};
// How long something that must not happen is waited for.
constexpr milliseconds kQuiet{300};

template <typename Done>
void RunUntil(boost::asio::io_context& io, milliseconds limit, Done done) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done() && std::chrono::steady_clock::now() < end) {
    io.restart();
    io.run_for(milliseconds{5});
  }
}

std::optional<Day> Today() { return Day{std::chrono::year{2027} / 1 / 31}; }

class ZmqSocketTest : public testing::Test {
 protected:
  // A secured router that notes what arrives, as "user_id payload".
  std::unique_ptr<ZmqSocket> MakeServer() {
    auto server = std::make_unique<ZmqSocket>(io_, context_, ZmqSocketKind::kRouter);
    EXPECT_TRUE(server->SecureAsServer(server_keys_.secret_key).ok());
    EXPECT_TRUE(server->LimitPeers(1 << 20).ok());
    EXPECT_TRUE(
        server
            ->OnHandshakeFailure([this](const HandshakeFailure& one) { failures_.push_back(one); })
            .ok());
    EXPECT_TRUE(server->Bind("tcp://127.0.0.1:0").ok());
    server->OnMessage([this](const ZmqMessage& message) {
      arrived_.insert(message.user_id + " " + message.frames.back());
    });
    return server;
  }

  std::unique_ptr<ZmqSocket> MakeClient(const ZmqSocket& server, const std::string& server_key,
                                        const CurveKeys& keys) {
    auto client = std::make_unique<ZmqSocket>(io_, context_, ZmqSocketKind::kDealer);
    EXPECT_TRUE(client->SecureAsClient(server_key, keys).ok());
    EXPECT_TRUE(client->Connect(server.bound_endpoint()).ok());
    return client;
  }

  boost::asio::io_context io_;
  ZmqContext context_;
  const CurveKeys server_keys_ = MakeCurveKeys();
  const CurveKeys alice_ = MakeCurveKeys();
  std::set<std::string> arrived_;
  std::vector<HandshakeFailure> failures_;
};

// A reader that is parked on the descriptor while the same socket sends: each send may swallow the
// edge that the reader waits for. An echo answers every message, so a lost wake-up ends the
// exchange for good.
TEST_F(ZmqSocketTest, NeverStallsWithAParkedReaderAndAConcurrentSender) {
  constexpr int kMessages = 1'500;
  ZmqSocket router(io_, context_, ZmqSocketKind::kRouter);
  ASSERT_TRUE(router.Bind("tcp://127.0.0.1:0").ok());
  router.OnMessage(
      [&](const ZmqMessage& message) { EXPECT_TRUE(router.Send(message.frames).ok()); });
  const std::string endpoint = router.bound_endpoint();
  std::atomic<int> received = 0;
  // The client has its own context and thread, as an agent has.
  std::thread client_thread([&] {
    boost::asio::io_context io;
    ZmqContext context;
    ZmqSocket dealer(io, context, ZmqSocketKind::kDealer);
    ASSERT_TRUE(dealer.Connect(endpoint).ok());
    dealer.OnMessage([&](const ZmqMessage&) { ++received; });
    boost::asio::steady_timer timer(io);
    int sent = 0;
    std::function<void()> send_some = [&] {
      for (int i = 0; i < 5 && sent < kMessages; ++i) sent += dealer.Send({"x"}).ok() ? 1 : 0;
      if (sent == kMessages) return;
      timer.expires_after(std::chrono::microseconds{200});
      timer.async_wait([&](const boost::system::error_code& error) {
        if (!error) send_some();
      });
    };
    send_some();
    RunUntil(io, kPatience, [&] { return received == kMessages; });
  });
  std::thread server_thread(
      [&] { RunUntil(io_, kPatience, [&] { return received == kMessages; }); });
  client_thread.join();
  server_thread.join();
  EXPECT_EQ(received, kMessages);
}

TEST_F(ZmqSocketTest, F34LetsNobodyInWhileNoGateAnswers) {
  const auto server = MakeServer();
  const auto client = MakeClient(*server, server_keys_.public_key, alice_);
  ASSERT_TRUE(client->Send({"hello"}).ok());
  RunUntil(io_, kQuiet, [&] { return !arrived_.empty(); });
  EXPECT_TRUE(arrived_.empty());
}

TEST_F(ZmqSocketTest, F34LetsInListedKeysOnlyAndNamesThem) {
  Gate gate(io_, context_, {{alice_.public_key, {"alice"}}}, Today, [](const std::string&) {});
  ASSERT_TRUE(gate.Open().ok());
  const auto server = MakeServer();
  const auto alice = MakeClient(*server, server_keys_.public_key, alice_);
  const auto stranger = MakeClient(*server, server_keys_.public_key, MakeCurveKeys());
  const auto misled = MakeClient(*server, MakeCurveKeys().public_key, alice_);
  ZmqSocket plain(io_, context_, ZmqSocketKind::kDealer);
  ASSERT_TRUE(plain.Connect(server->bound_endpoint()).ok());
  for (ZmqSocket* client : {alice.get(), stranger.get(), misled.get(), &plain}) {
    ASSERT_TRUE(client->Send({"hello"}).ok());
  }
  RunUntil(io_, kPatience, [&] { return !arrived_.empty() && failures_.size() >= 2; });
  RunUntil(io_, kQuiet, [&] { return arrived_.size() > 1; });
  EXPECT_EQ(arrived_, std::set<std::string>{alice_.public_key + " hello"});
  ASSERT_GE(failures_.size(),
            2U);  // The misled and the plain one; the gate itself reports the stranger.
  EXPECT_TRUE(failures_[0].peer_address.starts_with("127.0.0.1:")) << failures_[0].peer_address;
}

TEST_F(ZmqSocketTest, F34LetsNobodyInAfterTheGateIsGone) {
  auto gate =
      std::make_unique<Gate>(io_, context_, AuthorizedAgents{{alice_.public_key, {"alice"}}}, Today,
                             [](const std::string&) {});
  ASSERT_TRUE(gate->Open().ok());
  const auto server = MakeServer();
  const auto before = MakeClient(*server, server_keys_.public_key, alice_);
  ASSERT_TRUE(before->Send({"before"}).ok());
  RunUntil(io_, kPatience, [&] { return !arrived_.empty(); });
  gate.reset();
  const auto after = MakeClient(*server, server_keys_.public_key, alice_);
  ASSERT_TRUE(after->Send({"after"}).ok());
  RunUntil(io_, kQuiet, [&] { return arrived_.size() > 1; });
  EXPECT_EQ(arrived_, std::set<std::string>{alice_.public_key + " before"});
}

// The last day of a key is judged when its peer connects: a clock that jumps ends no connection.
TEST_F(ZmqSocketTest, F14KeepsAConnectionWhenTheClockJumpsAndTakesNoNewOne) {
  Day today = *Today();
  Gate gate(
      io_, context_, {{alice_.public_key, {"alice", v1::AGENT, today}}},
      [&]() -> std::optional<Day> { return today; }, [](const std::string&) {});
  ASSERT_TRUE(gate.Open().ok());
  const auto server = MakeServer();
  const auto before = MakeClient(*server, server_keys_.public_key, alice_);
  ASSERT_TRUE(before->Send({"before"}).ok());
  RunUntil(io_, kPatience, [&] { return !arrived_.empty(); });
  today += std::chrono::days{366};
  const auto after = MakeClient(*server, server_keys_.public_key, alice_);
  ASSERT_TRUE(after->Send({"after"}).ok());
  ASSERT_TRUE(before->Send({"still"}).ok());
  RunUntil(io_, kPatience, [&] { return arrived_.size() > 1; });
  RunUntil(io_, kQuiet, [&] { return arrived_.size() > 2; });
  EXPECT_EQ(arrived_,
            (std::set<std::string>{alice_.public_key + " before", alice_.public_key + " still"}));
}

TEST_F(ZmqSocketTest, PassesItsOwnSelfTest) {
  Gate gate(io_, context_, {{alice_.public_key, {"alice"}}}, Today, [](const std::string&) {});
  ASSERT_TRUE(gate.Open().ok());
  const Status status = TestGate(io_, context_, gate);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_NE(gate.Find(alice_.public_key), nullptr);  // The list is the old one again.
}

// The self-test's own key is not let in either: an error, never a daemon that serves nobody or
// everybody.
TEST_F(ZmqSocketTest, FailsItsSelfTestWithoutAWorkingGate) {
  Gate closed(io_, context_, {{alice_.public_key, {"alice"}}}, Today, [](const std::string&) {});
  const Status status = TestGate(io_, context_, closed, std::chrono::milliseconds{500});
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_NE(status.message().find("within 500 ms"), std::string::npos) << status.message();
}

TEST_F(ZmqSocketTest, ReportsAPortInUse) {
  const auto server = MakeServer();
  ZmqSocket second(io_, context_, ZmqSocketKind::kRouter);
  const Status status = second.Bind(server->bound_endpoint());
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find(server->bound_endpoint() + " is in use"), std::string::npos)
      << status.message();
}

class ZmqSocketAddressTest : public ZmqSocketTest {
 protected:
  static bool HasIpv6() {
    boost::asio::io_context io;
    ZmqContext context;
    return ZmqSocket(io, context, ZmqSocketKind::kRouter).Bind("tcp://[::1]:0").ok();
  }

  // Sends `endpoint` to `router` from a client that connects there, and waits until it arrives.
  bool Reaches(ZmqSocket& router, const std::string& endpoint) {
    if (clients_.empty()) {
      router.OnMessage(
          [this](const ZmqMessage& message) { arrived_.insert(message.frames.back()); });
    }
    clients_.push_back(std::make_unique<ZmqSocket>(io_, context_, ZmqSocketKind::kDealer));
    EXPECT_TRUE(clients_.back()->Connect(endpoint).ok()) << endpoint;
    EXPECT_TRUE(clients_.back()->Send({endpoint}).ok());
    RunUntil(io_, kPatience, [&] { return arrived_.contains(endpoint); });
    return arrived_.contains(endpoint);
  }

  ZmqSocket router_{io_, context_, ZmqSocketKind::kRouter};
  std::vector<std::unique_ptr<ZmqSocket>> clients_;
};

TEST_F(ZmqSocketAddressTest, ListensAtAnIpv6Address) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no ::1";
  ASSERT_TRUE(router_.Bind("tcp://[::1]:0").ok());
  EXPECT_TRUE(router_.bound_endpoint().starts_with("tcp://[::1]:")) << router_.bound_endpoint();
  EXPECT_TRUE(Reaches(router_, router_.bound_endpoint()));
}

TEST_F(ZmqSocketAddressTest, ListensAtAllAddressesOfBothKinds) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no ::1";
  ASSERT_TRUE(router_.Bind("tcp://[::]:0").ok());
  const std::string port = router_.bound_endpoint().substr(router_.bound_endpoint().rfind(':'));
  EXPECT_TRUE(Reaches(router_, "tcp://127.0.0.1" + port));
  EXPECT_TRUE(Reaches(router_, "tcp://[::1]" + port));
}

TEST_F(ZmqSocketAddressTest, ListensAtEveryAddressOfANameOnOnePort) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no ::1";
  ASSERT_TRUE(router_.Bind({Endpoint{"::1", 0}, Endpoint{"127.0.0.1", 0}}).ok());
  const std::string port = router_.bound_endpoint().substr(router_.bound_endpoint().rfind(':'));
  EXPECT_TRUE(Reaches(router_, "tcp://127.0.0.1" + port));
  EXPECT_TRUE(Reaches(router_, "tcp://[::1]" + port));
}

TEST_F(ZmqSocketAddressTest, ListensAtANameAndSaysWhichPort) {
  ASSERT_TRUE(router_.Bind("tcp://localhost:0").ok());
  const Result<Endpoint> bound = ParseEndpoint(router_.bound_endpoint(), EndpointUse::kConnect);
  ASSERT_TRUE(bound.ok()) << bound.status().message();
  EXPECT_EQ(bound->host, "localhost");
}

TEST_F(ZmqSocketAddressTest, LeavesOutAddressesThatThisMachineDoesNotHave) {
  ASSERT_TRUE(router_.Bind({Endpoint{"192.0.2.1", 0}, Endpoint{"127.0.0.1", 0}}).ok());
  EXPECT_TRUE(Reaches(router_, router_.bound_endpoint()));
  ZmqSocket other(io_, context_, ZmqSocketKind::kRouter);
  const Status status = other.Bind("tcp://192.0.2.1:0");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("tcp://192.0.2.1:0: this machine has no such address"),
            std::string::npos)
      << status.message();
}

TEST_F(ZmqSocketTest, ReportsAPeerThatIsGone) {
  const auto server = MakeServer();
  EXPECT_EQ(server->Send({"nobody", "hello"}).code(), StatusCode::kUnavailable);
}

TEST_F(ZmqSocketTest, KeepsABoundedNumberOfFrames) {
  ZmqSocket server(io_, context_, ZmqSocketKind::kRouter);
  ASSERT_TRUE(server.Bind("tcp://127.0.0.1:0").ok());
  std::vector<std::size_t> sizes;
  server.OnMessage([&](const ZmqMessage& message) { sizes.push_back(message.frames.size()); });
  ZmqSocket client(io_, context_, ZmqSocketKind::kDealer);
  ASSERT_TRUE(client.Connect(server.bound_endpoint()).ok());
  ASSERT_TRUE(client.Send(std::vector<std::string>(10'000, "x")).ok());
  ASSERT_TRUE(client.Send({"after"}).ok());
  RunUntil(io_, kPatience, [&] { return sizes.size() == 2; });
  EXPECT_EQ(sizes, (std::vector<std::size_t>{ZmqSocket::kMaxFramesKept, 2}));
}

TEST(CurveKeysTest, DerivesThePublicKeyFromTheSecret) {
  const CurveKeys keys = MakeCurveKeys();
  EXPECT_EQ(*CurvePublicKey(keys.secret_key), keys.public_key);
  EXPECT_TRUE(IsCurveKey(keys.public_key));
  EXPECT_FALSE(IsCurveKey(""));
  EXPECT_FALSE(IsCurveKey(std::string(40, '~')));  // Not a Z85 character.
  EXPECT_EQ(CurvePublicKey("short").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitpilot

// Boards that connect to their agent, as from behind a NAT: real daemons at the agent's one port.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "agent/device/local_daemon.h"
#include "agent/fleet/board_admission.h"
#include "agent/fleet/board_port.h"
#include "agent/fleet/fleet_board.h"
#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/fleet_watch.h"
#include "agent/fleet/zmq_link.h"
#include "tests/agent/forked_process.h"
#include "tests/agent/latch.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

constexpr char kAnyPort[] = "tcp://127.0.0.1:0";

TEST(BoardAdmissionTest, LetsInListedKeysOnlyAndNobodyWithoutAHandler) {
  const Status status = TestBoardAdmission();
  EXPECT_TRUE(status.ok()) << status.message();
}

// With no descriptor left, a test could open no port.
TEST(BoardAdmissionTest, IsTestedOnceInAProcess) {
  ASSERT_TRUE(EnsureBoardAdmission().ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const Status again = EnsureBoardAdmission();
  const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(descriptor, -1) << "this shows nothing";
  EXPECT_TRUE(again.ok()) << again.message();
}

std::vector<Endpoint> AddressesOf(const std::string& listen) {
  return {ParseEndpoint(listen, EndpointUse::kListen).value()};
}

// Someone who connects to a port, and announces himself as a board does.
class Visitor {
 public:
  Visitor(const std::string& endpoint, const std::string& server_key,
          const std::optional<AgentKeys>& keys) {
    SetPeerLimits(socket_);
    if (keys) {
      socket_.set(zmq::sockopt::curve_serverkey, server_key);
      socket_.set(zmq::sockopt::curve_publickey, keys->public_key);
      socket_.set(zmq::sockopt::curve_secretkey, keys->secret_key);
    }
    socket_.connect(endpoint);
    Announce();
  }

  void Announce() {
    Message message;
    message.envelope.mutable_announce()->set_protocol_major(kProtocolMajor);
    message.envelope.mutable_announce()->set_boot_id(std::string(16, 'b'));
    EXPECT_EQ(SendFrames(socket_, EncodeMessage(message)), Sent::kAll);
  }
  bool HasMail() { return !ReceiveFrames(socket_).empty(); }
  void Leave() { socket_.close(); }

 private:
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::dealer};
};

class BoardPortTest : public testing::Test {
 protected:
  BoardPortTest() {
    Result<std::unique_ptr<BoardPort>> port =
        BoardPort::Open(context_, kAnyPort, AddressesOf(kAnyPort), agent_);
    EXPECT_TRUE(port.ok()) << port.status().message();
    port_ = std::move(port).value();
    port_->Expect(board_.public_key);
    port_->OpenLink(board_.public_key);
  }

  template <typename Done>
  bool WorkUntil(milliseconds limit, Done done) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      if (done()) return true;
      std::vector<zmq::pollitem_t> items;
      port_->AddPollItems(items);
      zmq_poll(items.data(), static_cast<int>(items.size()), 10);
      port_->Work();
    }
    return false;
  }
  bool HasNews() const { return port_->HasNews(board_.public_key); }
  template <typename Kind>
  bool NextIs() {
    if (!WorkUntil(kPatience, [this] { return HasNews(); })) return false;
    return std::holds_alternative<Kind>(*port_->Next(board_.public_key));
  }
  void ExpectRefused(const std::string& server_key, const std::optional<AgentKeys>& keys) {
    const Visitor visitor(port_->bound_endpoint(), server_key, keys);
    EXPECT_FALSE(WorkUntil(milliseconds{400}, [this] { return HasNews(); }));
  }

  static constexpr milliseconds kPatience{20'000};
  const AgentKeys agent_ = GenerateCurveKeys();
  const AgentKeys board_ = GenerateCurveKeys();
  zmq::context_t context_{1};
  std::unique_ptr<BoardPort> port_;
};

TEST_F(BoardPortTest, F34KnowsABoardByItsKeyAndLetsInNobodyElse) {
  ExpectRefused(agent_.public_key, GenerateCurveKeys());
  ExpectRefused(agent_.public_key, std::nullopt);
  ExpectRefused(GenerateCurveKeys().public_key, board_);
  const Visitor board(port_->bound_endpoint(), agent_.public_key, board_);
  EXPECT_TRUE(NextIs<LinkUp>());
}

TEST_F(BoardPortTest, F34LetsNobodyInWhileNobodyAnswersForTheKeys) {
  zmq::context_t context{1};
  zmq::socket_t unattended(context, zmq::socket_type::router);
  SecureAsServer(unattended, agent_.secret_key);
  unattended.bind("tcp://127.0.0.1:*");
  const Visitor board(unattended.get(zmq::sockopt::last_endpoint), agent_.public_key, board_);
  unattended.set(zmq::sockopt::rcvtimeo, 400);
  zmq::message_t message;
  EXPECT_FALSE(unattended.recv(message).has_value());
}

TEST_F(BoardPortTest, TellsThatABoardConnectsAnew) {
  const Visitor first(port_->bound_endpoint(), agent_.public_key, board_);
  ASSERT_TRUE(NextIs<LinkUp>());
  const Visitor second(port_->bound_endpoint(), agent_.public_key, board_);
  EXPECT_TRUE(NextIs<LinkDown>());
  port_->OpenLink(board_.public_key);
  EXPECT_TRUE(NextIs<LinkUp>());
}

TEST_F(BoardPortTest, TellsThatABoardIsGoneWhenItIsSentSomething) {
  Visitor board(port_->bound_endpoint(), agent_.public_key, board_);
  ASSERT_TRUE(NextIs<LinkUp>());
  Message ping;
  ping.envelope.mutable_ping();
  port_->Send(board_.public_key, EncodeMessage(ping));
  ASSERT_TRUE(WorkUntil(kPatience, [&] { return board.HasMail(); }));
  board.Leave();
  const bool is_down = WorkUntil(kPatience, [&] {
    port_->Send(board_.public_key, EncodeMessage(ping));
    return HasNews();
  });
  ASSERT_TRUE(is_down);
  EXPECT_TRUE(NextIs<LinkDown>());
}

TEST_F(BoardPortTest, DropsWhatAForgottenBoardSends) {
  Visitor board(port_->bound_endpoint(), agent_.public_key, board_);
  ASSERT_TRUE(NextIs<LinkUp>());
  port_->Forget(board_.public_key);
  board.Announce();
  WorkUntil(milliseconds{300}, [] { return false; });
  port_->Expect(board_.public_key);
  port_->OpenLink(board_.public_key);
  EXPECT_FALSE(HasNews());
  board.Announce();
  EXPECT_TRUE(NextIs<LinkUp>());
}

TEST_F(BoardPortTest, SaysThatAnotherProgramHasThePort) {
  zmq::context_t context{1};
  const std::string& endpoint = port_->bound_endpoint();
  const auto taken = BoardPort::Open(context, endpoint, AddressesOf(endpoint), agent_);
  EXPECT_EQ(taken.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(taken.status().message().find("in use"), std::string::npos) << taken.status().message();
}

// A port at which nothing listens now.
std::string FreeEndpoint() {
  zmq::context_t context{1};
  zmq::socket_t socket(context, zmq::socket_type::router);
  socket.bind("tcp://127.0.0.1:*");
  return socket.get(zmq::sockopt::last_endpoint);
}

// A bitpilotd that connects to `target`, and to nobody else.
class ConnectingDaemon {
 public:
  ConnectingDaemon(const std::string& target, const std::string& agent_key) {
    const std::string program = FindDaemonProgram().value();
    const std::string keys = folder_ / "keys";
    EXPECT_EQ(std::system(("'" + program + "' keygen --keys '" + keys + "' > /dev/null").c_str()),
              0);
    std::ofstream(keys + "/authorized_agents") << "agent " << agent_key << "\n";
    std::getline(std::ifstream(keys + "/daemon.pub"), public_key_);
    const std::string backend = "model:" BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost";
    const std::string host = target.substr(6);
    process_ = std::make_unique<ForkedProcess>([&](const ForkedProcess::Report&) {
      dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), "serve", "--connect", host.c_str(), "--keys",
            keys.c_str(), "--backend", backend.c_str(), "--fast", "--exit-with-parent", "--json",
            nullptr);
      _exit(1);
    });
  }
  const std::string& public_key() const { return public_key_; }

 private:
  const TemporaryFolder folder_;
  std::string public_key_;
  std::unique_ptr<ForkedProcess> process_;
};

BoardAddress Connecting(const std::string& listen, const std::string& public_key) {
  BoardAddress address{"behind-nat", listen, public_key, ""};
  address.connects = true;
  return address;
}

TEST(ConnectingBoardTest, MeasuresAsEveryOtherBoard) {
  const AgentKeys keys = GenerateCurveKeys();
  const std::string listen = FreeEndpoint();
  const ConnectingDaemon daemon(listen, keys.public_key);
  const Network network = SmallNetwork(1);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  // The second agent's port is a new one, to which the board comes back.
  for (int i = 0; i < 2; ++i) {
    const auto board = ConnectBoard(Connecting(listen, daemon.public_key()), keys, BoardOptions());
    ASSERT_TRUE(board.ok()) << board.status().message();
    const Result<Measurement> measured = (*board)->Measure(job);
    ASSERT_TRUE(measured.ok()) << measured.status().message();
    EXPECT_EQ(measured->status, MeasureStatus::kOk) << measured->detail;
  }
}

TEST(ConnectingBoardTest, TellsWhatItDoesWithoutALease) {
  const AgentKeys keys = GenerateCurveKeys();
  const std::string listen = FreeEndpoint();
  const ConnectingDaemon daemon(listen, keys.public_key);
  FleetWatch watch({Connecting(listen, daemon.public_key())}, keys);
  watch.AskAll({}, {milliseconds{1000}, kConnectingPatience}, {});
  ASSERT_TRUE(watch.View(0).status.ok()) << watch.View(0).status.message();
  EXPECT_EQ(watch.View(0).board->state(), "READY");
}

TEST(ConnectingBoardTest, RefusesTwoBoardsOfOneKey) {
  const AgentKeys keys = GenerateCurveKeys();
  const std::string key = GenerateCurveKeys().public_key;
  ZmqHub hub;
  ZmqLink one(hub);
  ZmqLink other(hub);
  const std::string listen = FreeEndpoint();
  const std::vector<Endpoint> addresses = AddressesOf(listen);
  ASSERT_TRUE(one.Open(Connecting(listen, key), addresses, keys).ok());
  EXPECT_EQ(other.Open(Connecting(listen, key), addresses, keys).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(other.Open(Connecting(FreeEndpoint(), key), addresses, keys).code(),
            StatusCode::kInvalidArgument);
}

// Each of many boards asks for the port, once a minute and more.
TEST(ConnectingBoardTest, KnowsForAWhileThatThePortIsTaken) {
  const AgentKeys keys = GenerateCurveKeys();
  ZmqHub hub;
  ZmqLink one(hub);
  ZmqLink other(hub);
  zmq::context_t context{1};
  zmq::socket_t another_bitpilot(context, zmq::socket_type::router);
  another_bitpilot.bind("tcp://127.0.0.1:*");
  const std::string listen = another_bitpilot.get(zmq::sockopt::last_endpoint);
  const auto open = [&](ZmqLink& link) {
    return link.Open(Connecting(listen, GenerateCurveKeys().public_key), AddressesOf(listen), keys);
  };
  const Status taken = open(one);
  EXPECT_EQ(taken.code(), StatusCode::kUnavailable);
  // It is not tried again by the next board: then it would be found free.
  another_bitpilot.close();
  context.close();
  EXPECT_EQ(open(other).message(), taken.message());
}

// The test of the port takes up to five seconds, and is waited for by those boards alone that need it.
TEST(ConnectingBoardTest, KeepsNoOtherBoardWaitingWhileItsPortIsTested) {
  const AgentKeys keys = GenerateCurveKeys();
  const RunningDaemon daemon = StartDaemon(keys);
  Latch latch;
  Status tested;
  BoardLocator::Means means = BoardLocator::Means::OfThisMachine();
  means.test_admission = [&] {
    latch.Wait();
    return tested;
  };
  FleetDriver fleet({}, {}, means);
  const OpensAtEnd opens(latch);
  BoardOptions patient;
  patient.connect_timeout = patient.reconnect_timeout = kForever;
  const fleet::BoardId connecting = fleet.AddBoard(
      FleetBoardAt(Connecting(FreeEndpoint(), GenerateCurveKeys().public_key), keys, patient));
  const fleet::BoardId other = fleet.AddBoard(FleetBoardAt(daemon.address, keys, patient));
  const Result<BoardInfo> info = fleet.WaitUntilReady(other, {});
  EXPECT_TRUE(info.ok()) << info.status().message();
  tested = Status(StatusCode::kPermissionDenied, "a stranger was let in");
  latch.Open();
  EXPECT_EQ(fleet.WaitUntilReady(connecting, {}).status().message(), "a stranger was let in");
}

}  // namespace
}  // namespace bitpilot

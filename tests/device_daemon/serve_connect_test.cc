// A real daemon behind a NAT: it connects to its agent, which then speaks as ever.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "device_daemon/server/gate.h"
#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

class ServeConnectTest : public testing::Test {
 protected:
  ServeConnectTest() {
    EXPECT_TRUE(gate_.Open().ok());
    EXPECT_TRUE(router_.SecureAsServer(agent_keys_.secret_key).ok());
    EXPECT_TRUE(router_.LimitPeers(8 << 20).ok());
    EXPECT_TRUE(router_.Bind("tcp://127.0.0.1:0").ok());
    router_.OnMessage([this](ZmqMessage message) { received_.push_back(std::move(message)); });
  }

  // The next message of a board; an empty one after `patience`.
  Message Receive(milliseconds patience = std::chrono::seconds{20}) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (received_.empty() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_for(milliseconds{5});
    }
    if (received_.empty()) return {};
    const ZmqMessage message = std::move(received_.front());
    received_.erase(received_.begin());
    board_ = message.frames[0];
    user_id_ = message.user_id;
    const Result<Message> decoded = DecodeMessage(
        std::vector<std::string_view>(message.frames.begin() + 1, message.frames.end()));
    EXPECT_TRUE(decoded.ok()) << decoded.status().message();
    return decoded.ok() ? *decoded : Message();
  }

  Message Ask(const Message& message) {
    std::vector<std::string> frames = EncodeMessage(message);
    frames.insert(frames.begin(), board_);
    EXPECT_TRUE(router_.Send(frames).ok());
    return Receive();
  }

  // Lets the board's key in.
  void Admit(const DaemonProcess& daemon) { gate_.Replace({{daemon.public_key(), {"board"}}}); }

  std::string target() const { return router_.bound_endpoint().substr(6); }

  boost::asio::io_context io_;
  ZmqContext context_;
  const CurveKeys agent_keys_ = MakeCurveKeys();
  Gate gate_{io_, context_, {}, [] { return std::nullopt; }, [](const std::string&) {}};
  ZmqSocket router_{io_, context_, ZmqSocketKind::kRouter};
  std::vector<ZmqMessage> received_;
  std::string board_;
  std::string user_id_;
};

TEST_F(ServeConnectTest, AnnouncesItselfAndServesTheAgentThere) {
  DaemonProcess daemon({"--connect", target(), "--agent", "there"}, "tcp://127.0.0.1:0",
                       "there " + agent_keys_.public_key + "\n");
  Admit(daemon);
  const Message announced = Receive();
  ASSERT_TRUE(announced.envelope.has_announce()) << daemon.Log();
  EXPECT_EQ(user_id_, daemon.public_key());
  EXPECT_EQ(announced.envelope.announce().protocol_major(), kProtocolMajor);
  Message hello;
  hello.envelope.set_request_id(1);
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  const Message ack = Ask(hello);
  ASSERT_TRUE(ack.envelope.has_hello_ack());
  EXPECT_EQ(ack.envelope.hello_ack().boot_id(), announced.envelope.announce().boot_id());
  Message lease;
  lease.envelope.set_session_id(ack.envelope.hello_ack().session_id());
  lease.envelope.set_request_id(2);
  lease.envelope.mutable_lease_request()->set_ttl_ms(60'000);
  EXPECT_EQ(Ask(lease).envelope.lease_grant().epoch(), 1U);
  // And others where it listens.
  TestAgent other(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  EXPECT_TRUE(other.SayHello());
}

// The board may be where nobody else can reach it.
TEST_F(ServeConnectTest, GoesOnWithItsAgentWhenAnotherIsListedAndAfterARestart) {
  DaemonProcess daemon({"--connect", target()});
  std::ofstream(AuthorizedAgentsPath(daemon.keys_folder()))
      << "there " << agent_keys_.public_key << "\n";
  daemon.Restart();
  Admit(daemon);
  ASSERT_TRUE(Receive().envelope.has_announce()) << daemon.Log();
  std::ofstream(AuthorizedAgentsPath(daemon.keys_folder()), std::ios::app)
      << "second " << MakeCurveKeys().public_key << " admin\n";
  ASSERT_TRUE(daemon.WaitForLog("2 agents are authorized now")) << daemon.Log();
  EXPECT_TRUE(daemon.WaitForLog("goes on with 'there'")) << daemon.Log();
  EXPECT_NE(daemon.Log().find("name one with --agent NAME"), std::string::npos) << daemon.Log();
  Message hello;
  hello.envelope.set_request_id(1);
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  EXPECT_TRUE(Ask(hello).envelope.has_hello_ack());
  daemon.Restart();
  EXPECT_TRUE(Receive().envelope.has_announce()) << daemon.Log();
}

TEST_F(ServeConnectTest, F34SaysNothingToAnAgentWithAnotherKey) {
  DaemonProcess daemon({"--connect", target(), "--agent", "there"}, "tcp://127.0.0.1:0",
                       "there " + MakeCurveKeys().public_key + "\n");
  Admit(daemon);
  EXPECT_FALSE(Receive(milliseconds{1'500}).envelope.has_announce());
  EXPECT_TRUE(daemon.WaitForLog("another key than the agent that is expected")) << daemon.Log();
}

TEST_F(ServeConnectTest, NamesWhatIsMissingToConnect) {
  DaemonProcess keys;  // For its key folder only, which lists one agent.
  const TemporaryFolder store;
  const std::vector<std::string> serve{"serve", "--keys", keys.keys_folder(), "--store",
                                       store.path()};
  const auto run = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = serve;
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return RunBitpilotd(arguments);
  };
  EXPECT_EQ(run({}).exit_code, 2);
  EXPECT_NE(run({}).standard_error.find("--connect HOST:PORT"), std::string::npos);
  EXPECT_EQ(run({"--connect", "no port"}).exit_code, 2);
  EXPECT_EQ(run({"--listen", "tcp://127.0.0.1:0", "--agent", "test"}).exit_code, 2);
  const ProgramEnd unknown = run({"--connect", target(), "--agent", "nobody"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_NE(unknown.standard_error.find("an agent 'nobody'"), std::string::npos)
      << unknown.standard_error;
}

}  // namespace
}  // namespace bitpilot

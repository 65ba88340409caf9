// What a key may do at a real daemon: roles, last days, a list that changes, draining.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

class ServeRolesTest : public testing::Test {
 protected:
  // Adds a line to the list, which the daemon reads by itself.
  void Authorize(const CurveKeys& keys, const std::string& words) {
    const int before = CountOfLists();
    std::ofstream(AuthorizedAgentsPath(daemon_.keys_folder()), std::ios::app)
        << "more " << keys.public_key << " " << words << "\n";
    for (int i = 0; i < 2'000 && CountOfLists() == before; ++i) usleep(5'000);
    ASSERT_GT(CountOfLists(), before) << daemon_.Log();
  }
  int CountOfLists() const {
    int count = 0;
    std::istringstream lines(daemon_.Log());
    for (std::string line; std::getline(lines, line);) {
      count += line.find("authorized now") != std::string::npos;
    }
    return count;
  }
  TestAgent AgentWith(const CurveKeys& keys) {
    return TestAgent(daemon_.endpoint(), daemon_.public_key(), keys);
  }
  static bool IsSilentToHello(TestAgent& agent) {
    Message hello;
    hello.envelope.set_request_id(1);
    hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
    agent.Send(hello);
    return !agent.Receive(milliseconds{400});
  }

  DaemonProcess daemon_;
  const CurveKeys keys_ = MakeCurveKeys();
};

TEST_F(ServeRolesTest, F34RefusesAKeyThatIsNotListedUntilItIs) {
  {
    TestAgent unlisted = AgentWith(keys_);
    EXPECT_TRUE(IsSilentToHello(unlisted));
  }
  Authorize(keys_, "");
  TestAgent listed = AgentWith(keys_);
  EXPECT_TRUE(listed.SayHello());
  EXPECT_EQ(listed.hello().role(), v1::AGENT);
}

TEST_F(ServeRolesTest, F34RefusesAKeyThatHasExpired) {
  Authorize(keys_, "agent 2026-01-01");
  TestAgent expired = AgentWith(keys_);
  EXPECT_TRUE(IsSilentToHello(expired));
  EXPECT_TRUE(daemon_.WaitForLog("has expired, its last day was 2026-01-01")) << daemon_.Log();
}

TEST_F(ServeRolesTest, LetsAKeyInWhoseLastDayIsFarAway) {
  Authorize(keys_, "2999-12-31");
  TestAgent agent = AgentWith(keys_);
  EXPECT_TRUE(agent.SayHello());
}

// Within a second, and without a signal.
TEST_F(ServeRolesTest, F34EndsTheLiveSessionOfARevokedKey) {
  TestAgent agent = AgentWith(daemon_.agent_keys());
  ASSERT_EQ(agent.Connect(), 1U);
  const auto revoked = std::chrono::steady_clock::now();
  std::ofstream(AuthorizedAgentsPath(daemon_.keys_folder())) << "# nobody\n";
  for (;;) {
    Message ping = agent.Request();
    ping.envelope.mutable_ping();
    agent.Send(ping);
    if (!agent.Receive(milliseconds{200})) break;
    ASSERT_LT(std::chrono::steady_clock::now() - revoked, std::chrono::seconds{10});
  }
  EXPECT_TRUE(daemon_.WaitForLog("ended 1 sessions")) << daemon_.Log();
}

TEST_F(ServeRolesTest, F35LetsAnObserverLookAndNothingElse) {
  Authorize(keys_, "observer");
  TestAgent observer = AgentWith(keys_);
  ASSERT_TRUE(observer.SayHello());
  EXPECT_EQ(observer.hello().role(), v1::OBSERVER);
  Message status = observer.Request();
  status.envelope.mutable_board_status_request();
  EXPECT_EQ(observer.Ask(status).envelope.board_status().state(), "READY");
  Message lease = observer.Request();
  lease.envelope.mutable_lease_request()->set_ttl_ms(60'000);
  Message drain = observer.Request();
  drain.envelope.mutable_drain_request()->set_drain(true);
  Message measure = observer.MeasureRequest(MakeTestNetwork(4, 41), 'm');
  for (const Message& message : {lease, drain, measure}) {
    const Message reply = observer.Ask(message);
    EXPECT_EQ(FromProto(reply.envelope.error()).code(), StatusCode::kPermissionDenied)
        << BodyName(message.envelope.body_case());
  }
}

TEST_F(ServeRolesTest, IsDrainedByAnAdministratorOverARestart) {
  Authorize(keys_, "admin");
  TestAgent admin = AgentWith(keys_);
  ASSERT_TRUE(admin.SayHello());
  Message drain = admin.Request();
  drain.envelope.mutable_drain_request()->set_drain(true);
  drain.envelope.mutable_drain_request()->set_reason("new heat sink");
  EXPECT_TRUE(admin.Ask(drain).envelope.board_status().draining());
  daemon_.Restart();
  TestAgent agent = AgentWith(daemon_.agent_keys());
  ASSERT_TRUE(agent.SayHello());
  Message lease = agent.Request();
  lease.envelope.mutable_lease_request()->set_ttl_ms(60'000);
  const v1::LeaseDenied denied = agent.Ask(lease).envelope.lease_denied();
  EXPECT_EQ(denied.reason(), v1::LeaseDenied::DRAINING);
  EXPECT_EQ(denied.detail(), "new heat sink");
  TestAgent again = AgentWith(keys_);
  ASSERT_TRUE(again.SayHello());
  drain = again.Request();
  drain.envelope.mutable_drain_request()->set_drain(false);
  EXPECT_FALSE(again.Ask(drain).envelope.board_status().draining());
  EXPECT_GT(agent.AskForLease(v1::LeaseRequest::RESERVATION), 0U);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

TEST(ServeMetricsTest, WritesTheMetricsFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "bitpilot.prom";
  DaemonProcess daemon({"--metrics", path, "--name", "pi-7"});
  EXPECT_NE(ReadText(path).find("bitpilot_board_state{board=\"pi-7\",state=\"READY\"} 1\n"),
            std::string::npos)
      << ReadText(path);
}

TEST(ServeMetricsTest, RefusesToServeWithoutTheFolderOfTheMetricsFile) {
  DaemonProcess keys;  // For its key folder only.
  const TemporaryFolder folder;
  const ProgramEnd end =
      RunBitpilotd({"serve", "--listen", "tcp://127.0.0.1:0", "--keys", keys.keys_folder(),
                    "--store", folder.path(), "--metrics", folder / "none/bitpilot.prom"});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_NE(end.standard_error.find("--metrics"), std::string::npos) << end.standard_error;
}

TEST(ServeLogTest, WritesOneJsonObjectALine) {
  DaemonProcess daemon({"--log-format", "json"});
  TestAgent stranger(daemon.endpoint(), daemon.public_key(), MakeCurveKeys());
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  stranger.Send(hello);
  EXPECT_FALSE(stranger.Receive(milliseconds{400}));
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_EQ(agent.Connect(), 1U);
  ASSERT_TRUE(daemon.WaitForLog("lease_granted")) << daemon.Log();
  bool granted = false;
  bool refused = false;
  std::istringstream lines(daemon.Log());
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(object.is_object()) << line;
    EXPECT_TRUE(object["time"].get<std::string>().ends_with("Z")) << line;
    EXPECT_TRUE(object["text"].is_string()) << line;
    granted = granted || (object["event"] == "lease_granted" && object["epoch"] == "1");
    refused = refused || object["event"] == "peer_refused";
  }
  EXPECT_TRUE(granted);
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace bitpilot

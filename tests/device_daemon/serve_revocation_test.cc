// Agents that are taken off the list while the daemon serves: authorized_agents and SIGHUP.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

class ServeRevocationTest : public testing::Test {
 protected:
  // Writes the list anew and waits until the daemon has `num_agents` on it.
  void Authorize(const std::string& text, int num_agents) {
    const std::string said = std::to_string(num_agents) +
                             (num_agents == 1 ? " agent is" : " agents are") + " authorized now";
    ASSERT_EQ(daemon_.Log().find(said), std::string::npos);
    std::ofstream(AuthorizedAgentsPath(daemon_.keys_folder())) << text;
    kill(daemon_.pid(), SIGHUP);
    ASSERT_TRUE(daemon_.WaitForLog(said)) << daemon_.Log();
  }

  static void ExpectSilence(TestAgent& agent) {
    Message ping = agent.Request();
    ping.envelope.mutable_ping();
    agent.Send(ping);
    EXPECT_FALSE(agent.Receive(milliseconds{300}));
  }

  DaemonProcess daemon_;
  TestAgent agent_{daemon_.endpoint(), daemon_.public_key(), daemon_.agent_keys()};
  const CurveKeys successor_keys_ = MakeCurveKeys();
};

TEST_F(ServeRevocationTest, F34CutsOffAnAgentThatWasTakenOffTheList) {
  ASSERT_EQ(agent_.Connect(), 1U);
  Authorize("successor " + successor_keys_.public_key + "\n", 1);
  ExpectSilence(agent_);
  TestAgent successor(daemon_.endpoint(), daemon_.public_key(), successor_keys_);
  EXPECT_EQ(successor.Connect(), 2U);
}

TEST_F(ServeRevocationTest, CutsOffTheLastAgentWhenTheListIsEmptied) {
  ASSERT_EQ(agent_.Connect(), 1U);
  Authorize("", 0);
  ExpectSilence(agent_);
  EXPECT_TRUE(daemon_.WaitForLog("NAME PUBLIC_KEY")) << daemon_.Log();
}

TEST_F(ServeRevocationTest, CutsOffTheLastAgentWhenTheListIsRemoved) {
  ASSERT_EQ(agent_.Connect(), 1U);
  std::filesystem::remove(AuthorizedAgentsPath(daemon_.keys_folder()));
  kill(daemon_.pid(), SIGHUP);
  ASSERT_TRUE(daemon_.WaitForLog("0 agents are authorized now")) << daemon_.Log();
  ExpectSilence(agent_);
}

TEST_F(ServeRevocationTest, CutsOffEverybodyWhenOthersMayWriteTheList) {
  ASSERT_EQ(agent_.Connect(), 1U);
  ASSERT_EQ(chmod(AuthorizedAgentsPath(daemon_.keys_folder()).c_str(), 0666), 0);
  kill(daemon_.pid(), SIGHUP);
  ASSERT_TRUE(daemon_.WaitForLog("0 agents are authorized now")) << daemon_.Log();
  EXPECT_TRUE(daemon_.WaitForLog("chmod go-w"));
  ExpectSilence(agent_);
}

TEST_F(ServeRevocationTest, NamesALineThatIsWrongAndAdmitsTheOthers) {
  ASSERT_EQ(agent_.Connect(), 1U);
  Authorize("rubbish\nsuccessor " + successor_keys_.public_key + "\n", 1);
  EXPECT_TRUE(daemon_.WaitForLog("line 1 admits nobody")) << daemon_.Log();
  ExpectSilence(agent_);
  TestAgent successor(daemon_.endpoint(), daemon_.public_key(), successor_keys_);
  EXPECT_EQ(successor.Connect(), 2U);
}

TEST_F(ServeRevocationTest, StartsWithNobodyAndAdmitsAgentsLater) {
  std::ofstream(AuthorizedAgentsPath(daemon_.keys_folder())) << "# nobody yet\n";
  daemon_.Restart();
  EXPECT_TRUE(daemon_.WaitForLog("NAME PUBLIC_KEY")) << daemon_.Log();
  Authorize("successor " + successor_keys_.public_key + "\n", 1);
  TestAgent successor(daemon_.endpoint(), daemon_.public_key(), successor_keys_);
  EXPECT_GT(successor.Connect(), 0U);
}

TEST_F(ServeRevocationTest, EndsTheRunningJobAndGivesTheBoardToTheNextAgent) {
  const TestNetwork network = MakeTestNetwork(4, 21);
  ASSERT_EQ(agent_.Connect(), 1U);
  ASSERT_TRUE(agent_.Upload(network));
  Message request = agent_.MeasureRequest(network, 'a');
  request.envelope.mutable_measure_request()->mutable_spec()->set_tier(v1::MeasureSpec::AUDIT);
  request.envelope.mutable_measure_request()->mutable_spec()->set_extended(true);
  ASSERT_TRUE(agent_.Ask(request).envelope.has_measure_accepted());
  pid_t worker = 0;
  for (int i = 0; i < 5'000 && worker == 0; ++i) {
    worker = daemon_.WorkerPid();
    usleep(2'000);
  }
  ASSERT_NE(worker, 0);
  Authorize("successor " + successor_keys_.public_key + "\n", 1);
  EXPECT_TRUE(WaitUntilGone(worker));
  TestAgent successor(daemon_.endpoint(), daemon_.public_key(), successor_keys_);
  ASSERT_EQ(successor.Connect(), 2U);
  const v1::MeasureResult result = successor.Measure(successor.MeasureRequest(network, 'b'));
  EXPECT_TRUE(result.status() == v1::OK || result.status() == v1::NOISY) << result.detail();
  while (const std::optional<Message> late = agent_.Receive(milliseconds{300})) {
    EXPECT_TRUE(late->envelope.has_measure_progress()) << BodyName(late->envelope.body_case());
  }
}

}  // namespace
}  // namespace bitpilot

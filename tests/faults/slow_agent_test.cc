// Agents that stop reading, or come back in the middle of a measurement.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>

#include "experiments/reliability/process_usage.h"
#include "tests/device_daemon/test_agent.h"
#include "tests/faults/site.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kTable[] = "experiments/boards/mpic_resnet8.cost";

class SlowAgentTest : public testing::Test {
 protected:
  TestAgent Connect(Site& site) const {
    return TestAgent(site.proxy.endpoint(), site.daemon.public_key(), site.daemon.agent_keys());
  }
  // Of four seconds.
  Message LongMeasurement(TestAgent& agent) const {
    Message request = agent.MeasureRequest(network_, 'd');
    v1::MeasureSpec& spec = *request.envelope.mutable_measure_request()->mutable_spec();
    spec.set_tier(v1::MeasureSpec::STANDARD);
    spec.set_window_doublings(2);
    return request;
  }
  const TestNetwork network_ = MakeTestNetwork(4, 26);
};

// The connection is reset while the board measures. Who asks again is told that it does so already.
TEST_F(SlowAgentTest, F21TellsWhoAsksAgainThatItMeasuresAlready) {
  Site site(/*fast=*/false, kTable);
  {
    TestAgent agent = Connect(site);
    ASSERT_GT(agent.Connect(), 0U);
    ASSERT_TRUE(agent.Upload(network_));
    const Message request = LongMeasurement(agent);
    ASSERT_TRUE(agent.Ask(request).envelope.has_measure_accepted());
    site.proxy.EndAll(Ending::kReset);
  }
  TestAgent agent = Connect(site);
  ASSERT_TRUE(agent.SayHello());
  const Message reply = agent.Ask(LongMeasurement(agent));
  EXPECT_TRUE(reply.envelope.measure_accepted().duplicate()) << reply.envelope.error().detail();
  EXPECT_EQ(agent.ReceiveResult().status(), v1::OK);
  EXPECT_EQ(site.Executed().size(), 1U);
}

// Megabytes of answers that nobody takes: the board keeps its queue's worth of them, and the result.
TEST_F(SlowAgentTest, F26BoundsWhatABoardKeepsForAnAgentThatDoesNotRead) {
  Site site(/*fast=*/true, kTable);
  TestAgent agent = Connect(site);
  ASSERT_GT(agent.Connect(), 0U);
  ASSERT_TRUE(agent.Upload(network_));
  const std::size_t before = ResidentBytes(site.daemon.pid());
  PathOptions cut;
  cut.is_cut = true;
  site.proxy.SetPath(Direction::kToClient, cut);
  const auto send = [&](const Message& message) {
    while (!agent.TrySend(message)) std::this_thread::sleep_for(milliseconds{1});
  };
  for (int i = 0; i < 60'000; ++i) {
    Message status = agent.Request();
    status.envelope.mutable_board_status_request();
    send(status);
  }
  send(agent.MeasureRequest(network_, 'r'));
  ASSERT_TRUE(site.WaitUntilExecuted(1)) << "all that was asked before is answered";
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(ResidentBytes(site.daemon.pid()), before + (std::size_t{8} << 20));
#endif
  site.proxy.SetPath(Direction::kToClient, {});
  std::optional<v1::MeasureResult> result;
  int answers = 0;
  // Its connection may have ended meanwhile: then any word tells the board where it is now.
  const auto end = std::chrono::steady_clock::now() + seconds{60};
  while (!result && std::chrono::steady_clock::now() < end) {
    const std::optional<Message> message = agent.Receive(milliseconds{500});
    if (!message) {
      Message ping = agent.Request();
      ping.envelope.mutable_ping();
      agent.TrySend(ping);
      continue;
    }
    ++answers;
    if (message->envelope.has_measure_result()) result = message->envelope.measure_result();
  }
  ASSERT_TRUE(result) << answers << " other answers came";
  EXPECT_EQ(result->status(), v1::OK);
  EXPECT_LT(answers, 60'000) << "nothing was dropped: this shows nothing";
  EXPECT_EQ(site.Executed().size(), 1U);
}

}  // namespace
}  // namespace bitpilot

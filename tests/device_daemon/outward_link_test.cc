// A board that connects to its agent, with an agent of a router and its own gate.
#include "device_daemon/server/outward_link.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/device_daemon/listening_agent.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

class OutwardLinkTest : public testing::Test {
 protected:
  OutwardLink::Handlers Handlers() {
    OutwardLink::Handlers handlers;
    handlers.whom = [this] { return expected_; };
    handlers.on_up = [this] {
      ++ups_;
      EXPECT_TRUE(link_->Send({"here I am"}).ok());
    };
    handlers.on_message = [this](ZmqMessage message) {
      answers_.push_back(message.frames.front());
    };
    handlers.on_trouble = [this](const std::string& line) { troubles_.push_back(line); };
    return handlers;
  }

  void ConnectTo(const Endpoint& agent, const std::string& expected,
                 HostLookup::Resolve resolve = ResolveEndpoint) {
    expected_ = expected;
    link_ = std::make_unique<OutwardLink>(io_, context_, board_, agent, 1 << 20, Handlers(),
                                          std::move(resolve));
    link_->Start();
  }

  template <typename Done>
  bool RunUntil(milliseconds limit, Done done) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_for(milliseconds{5});
    }
    return done();
  }

  static constexpr milliseconds kPatience{20'000};
  boost::asio::io_context io_;
  ZmqContext context_;
  const CurveKeys board_ = MakeCurveKeys();
  const CurveKeys agent_ = MakeCurveKeys();
  Result<std::string> expected_ = Status(StatusCode::kNotFound, "nobody is listed");
  int ups_ = 0;
  std::vector<std::string> answers_;
  std::vector<std::string> troubles_;
  std::unique_ptr<OutwardLink> link_;
};

TEST_F(OutwardLinkTest, AnnouncesTheBoardByItsKeyAndTakesAnswers) {
  ListeningAgent agent(io_, agent_, board_.public_key);
  ConnectTo(agent.endpoint(), agent_.public_key);
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !agent.received().empty(); }));
  EXPECT_EQ(agent.received()[0].user_id, board_.public_key);
  EXPECT_EQ(agent.received()[0].frames.back(), "here I am");
  EXPECT_TRUE(agent.Answer("hello").ok());
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !answers_.empty(); }));
  EXPECT_EQ(answers_[0], "hello");
  EXPECT_TRUE(troubles_.empty());
}

TEST_F(OutwardLinkTest, F34TalksToNobodyWithAnotherKeyThanItsAgents) {
  ListeningAgent impostor(io_, MakeCurveKeys(), board_.public_key);
  ConnectTo(impostor.endpoint(), agent_.public_key);
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !troubles_.empty(); }));
  EXPECT_NE(troubles_[0].find("another key than the agent that is expected"), std::string::npos)
      << troubles_[0];
  RunUntil(milliseconds{700}, [&] { return ups_ > 0; });
  EXPECT_EQ(ups_, 0);
  EXPECT_TRUE(impostor.received().empty());
  EXPECT_FALSE(link_->Send({"anything"}).ok());
  EXPECT_EQ(troubles_.size(), 1U);  // Said once, however often it tries.
}

TEST_F(OutwardLinkTest, F34IsRefusedByAnAgentThatDoesNotKnowTheBoard) {
  ListeningAgent agent(io_, agent_, MakeCurveKeys().public_key);
  ConnectTo(agent.endpoint(), agent_.public_key);
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !troubles_.empty(); }));
  EXPECT_EQ(ups_, 0);
  EXPECT_TRUE(agent.received().empty());
}

TEST_F(OutwardLinkTest, ConnectsAgainWhenItsAgentIsBack) {
  auto agent = std::make_unique<ListeningAgent>(io_, agent_, board_.public_key);
  const Endpoint endpoint = agent->endpoint();
  ConnectTo(endpoint, agent_.public_key);
  ASSERT_TRUE(RunUntil(kPatience, [&] { return ups_ == 1; }));
  agent.reset();
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !troubles_.empty(); }));
  agent = std::make_unique<ListeningAgent>(io_, agent_, board_.public_key, ToString(endpoint));
  ASSERT_TRUE(RunUntil(kPatience, [&] { return ups_ == 2 && !agent->received().empty(); }));
}

TEST_F(OutwardLinkTest, LeavesAnAgentThatIsNotListedAnyMore) {
  ListeningAgent agent(io_, agent_, board_.public_key);
  ConnectTo(agent.endpoint(), agent_.public_key);
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !agent.received().empty(); }));
  expected_ = Status(StatusCode::kNotFound, "nobody is listed");
  link_->Start();
  EXPECT_EQ(link_->Send({"anything"}).code(), StatusCode::kUnavailable);
  static_cast<void>(
      agent.Answer("are you there?"));  // it is noticed sooner or later that nobody is
  RunUntil(milliseconds{700}, [&] { return !answers_.empty() || ups_ > 1; });
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(ups_, 1);
}

TEST_F(OutwardLinkTest, AsksBeforeEveryAttemptWhomToExpect) {
  ListeningAgent agent(io_, agent_, board_.public_key);
  link_ =
      std::make_unique<OutwardLink>(io_, context_, board_, agent.endpoint(), 1 << 20, Handlers());
  link_->Start();
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !troubles_.empty(); }));
  EXPECT_NE(troubles_[0].find("nobody is listed; trying again"), std::string::npos);
  EXPECT_EQ(ups_, 0);
  expected_ = agent_.public_key;
  EXPECT_TRUE(RunUntil(kPatience, [&] { return ups_ == 1; }));
}

// A name service that does not answer for as long as it is not released.
class HungNameService {
 public:
  ~HungNameService() { Release(); }
  HostLookup::Resolve resolve(const std::vector<Endpoint>& addresses) {
    return [addresses, asked = asked_, released = released_](const Endpoint&) {
      ++*asked;
      released.wait();
      return Result<std::vector<Endpoint>>(addresses);
    };
  }
  void Release() {
    if (!is_released_) release_.set_value();
    is_released_ = true;
  }
  int asked() const { return *asked_; }

 private:
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
  // Its thread may outlive the test.
  std::shared_ptr<std::atomic<int>> asked_ = std::make_shared<std::atomic<int>>(0);
  bool is_released_ = false;
};

// All sockets of the daemon have one thread for their bytes.
TEST_F(OutwardLinkTest, LetsOthersTalkWhileTheNameServiceHangs) {
  ListeningAgent agent(io_, agent_, board_.public_key);
  HungNameService names;
  ConnectTo({"agent.invalid", agent.endpoint().port}, agent_.public_key,
            names.resolve({agent.endpoint()}));
  ASSERT_TRUE(RunUntil(kPatience, [&] { return names.asked() == 1; }));
  ZmqSocket listening(io_, context_, ZmqSocketKind::kRouter);
  ASSERT_TRUE(listening.Bind("tcp://127.0.0.1:0").ok());
  int arrived = 0;
  listening.OnMessage([&](const ZmqMessage&) { ++arrived; });
  ZmqSocket peer(io_, context_, ZmqSocketKind::kDealer);
  ASSERT_TRUE(peer.Connect(listening.bound_endpoint()).ok());
  ASSERT_TRUE(peer.Send({"hello"}).ok());
  EXPECT_TRUE(RunUntil(kPatience, [&] { return arrived == 1; }));
  EXPECT_EQ(ups_, 0);
  names.Release();
  EXPECT_TRUE(RunUntil(kPatience, [&] { return ups_ == 1; }));
}

TEST_F(OutwardLinkTest, EndsWhileTheNameServiceHangs) {
  HungNameService names;
  ConnectTo({"agent.invalid", 7777}, agent_.public_key,
            names.resolve({Endpoint{"127.0.0.1", 7777}}));
  ASSERT_TRUE(RunUntil(kPatience, [&] { return names.asked() == 1; }));
  link_.reset();  // Does not wait.
  names.Release();
  RunUntil(milliseconds{100}, [] { return false; });
  EXPECT_TRUE(troubles_.empty());
}

TEST_F(OutwardLinkTest, TriesEveryAddressOfItsAgentsHost) {
  Endpoint nobody;
  {
    const ListeningAgent gone(io_, agent_, board_.public_key);
    nobody = gone.endpoint();
  }
  ListeningAgent agent(io_, agent_, board_.public_key);
  const std::vector<Endpoint> addresses{nobody, agent.endpoint()};
  ConnectTo({"agent.invalid", agent.endpoint().port}, agent_.public_key,
            [addresses](const Endpoint&) { return Result<std::vector<Endpoint>>(addresses); });
  EXPECT_TRUE(RunUntil(kPatience, [&] { return ups_ == 1; }));
}

TEST_F(OutwardLinkTest, NamesAHostThatIsUnknown) {
  ConnectTo({"agent.invalid", 7777}, agent_.public_key, [](const Endpoint&) {
    return Result<std::vector<Endpoint>>(Status(StatusCode::kNotFound, "unknown host"));
  });
  ASSERT_TRUE(RunUntil(kPatience, [&] { return !troubles_.empty(); }));
  EXPECT_EQ(troubles_[0], "tcp://agent.invalid:7777: unknown host; trying again");
}

}  // namespace
}  // namespace bitpilot

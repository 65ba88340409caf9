// Whom a board that connects goes on to expect, when its list of agents or the day changes.
#include "device_daemon/server/outward_links.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "device_daemon/server/expected_agent.h"
#include "proto/framing.h"
#include "tests/device_daemon/listening_agent.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

class OutwardLinksTest : public testing::Test {
 protected:
  // A board with `agents_` on its list, as after a start.
  void Start(const Endpoint& agent, const std::string& name = "") {
    OutwardLinks::Handlers handlers;
    handlers.agents = [this]() -> const AuthorizedAgents& { return agents_; };
    handlers.today = [this] { return today_; };
    handlers.announcement = [] {
      Message message;
      message.envelope.mutable_announce();
      return message;
    };
    handlers.on_message = [this](daemon::Peer peer, const ZmqMessage&) {
      senders_.push_back(std::move(peer));
    };
    links_ = std::make_unique<OutwardLinks>(io_, context_, board_, name, store_.path(), 1 << 20,
                                            std::move(handlers));
    ASSERT_TRUE(links_->Open({ToString(agent)}).ok());
  }

  std::unique_ptr<ListeningAgent> Listen(const CurveKeys& keys,
                                         const std::string& endpoint = "tcp://127.0.0.1:0") {
    return std::make_unique<ListeningAgent>(io_, keys, board_.public_key, endpoint);
  }

  template <typename Done>
  bool RunUntil(Done done, milliseconds limit = std::chrono::seconds{20}) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_for(milliseconds{5});
    }
    return done();
  }
  bool IsAnnouncedTo(const ListeningAgent& agent) {
    return RunUntil([&] { return !agent.received().empty(); });
  }
  // Longer than the pause before the first new attempt.
  bool StaysAwayFrom(const ListeningAgent& agent) {
    return !RunUntil([&] { return !agent.received().empty(); }, milliseconds{1'500});
  }
  // Whether what the agent sends arrives by the link that it has.
  bool Hears(ListeningAgent& agent) {
    const std::size_t before = senders_.size();
    return agent.Answer("hello").ok() && RunUntil([&] { return senders_.size() > before; });
  }

  const TemporaryFolder store_;
  boost::asio::io_context io_;
  ZmqContext context_;
  const CurveKeys board_ = MakeCurveKeys();
  const CurveKeys first_ = MakeCurveKeys();
  const CurveKeys second_ = MakeCurveKeys();
  const Day last_day_ = *ParseDay("2027-01-31");
  std::optional<Day> today_ = last_day_;
  AuthorizedAgents agents_{{first_.public_key, {"first"}}};
  std::vector<daemon::Peer> senders_;
  std::unique_ptr<OutwardLinks> links_;
};

TEST_F(OutwardLinksTest, GoOnWithTheirAgentWhenAnotherIsListed) {
  std::unique_ptr<ListeningAgent> agent = Listen(first_);
  const Endpoint endpoint = agent->endpoint();
  Start(endpoint);
  ASSERT_TRUE(IsAnnouncedTo(*agent));
  agents_[second_.public_key] = {"second", v1::ADMIN};
  links_->Reconsider();
  EXPECT_TRUE(Hears(*agent));
  EXPECT_EQ(agent->received().size(), 1U);  // By the first link still.
  agent.reset();
  agent = Listen(first_, ToString(endpoint));
  EXPECT_TRUE(IsAnnouncedTo(*agent));
  Start(endpoint);  // As after a restart of the daemon.
  EXPECT_TRUE(RunUntil([&] { return agent->received().size() == 2; }));
}

TEST_F(OutwardLinksTest, RememberAnAgentThatWasNotThereYetWhenAnotherWasListed) {
  std::unique_ptr<ListeningAgent> agent = Listen(first_);
  const Endpoint endpoint = agent->endpoint();
  agent.reset();
  Start(endpoint);
  EXPECT_EQ(ReadExpectedAgent(store_.path()), first_.public_key);
  agents_[second_.public_key] = {"second"};
  agent = Listen(first_, ToString(endpoint));
  Start(endpoint);
  EXPECT_TRUE(IsAnnouncedTo(*agent));
}

TEST_F(OutwardLinksTest, F34LeaveAnAgentThatIsNotListedAnyMore) {
  const std::unique_ptr<ListeningAgent> agent = Listen(first_);
  Start(agent->endpoint());
  ASSERT_TRUE(IsAnnouncedTo(*agent));
  ASSERT_TRUE(Hears(*agent));
  const std::string route = senders_.back().routing_id;
  EXPECT_TRUE(OutwardLinks::IsRoute(route));
  EXPECT_EQ(senders_.back().user_id, first_.public_key);
  EXPECT_TRUE(links_->Send(route, {"answer"}).ok());
  agents_ = {{second_.public_key, {"second"}}};
  links_->Reconsider();
  EXPECT_EQ(links_->Send(route, {"answer"}).code(), StatusCode::kUnavailable);
}

// What is for the one must not go to the other, who is there now.
TEST_F(OutwardLinksTest, AnswerNobodyButTheAgentThatAsked) {
  std::unique_ptr<ListeningAgent> agent = Listen(first_);
  const Endpoint endpoint = agent->endpoint();
  Start(endpoint);
  ASSERT_TRUE(IsAnnouncedTo(*agent));
  ASSERT_TRUE(Hears(*agent));
  const std::string route = senders_.back().routing_id;
  agents_ = {{first_.public_key, {"first", v1::OBSERVER}}, {second_.public_key, {"second"}}};
  agent.reset();
  agent = Listen(second_, ToString(endpoint));
  links_->Reconsider();
  ASSERT_TRUE(IsAnnouncedTo(*agent));
  EXPECT_EQ(links_->Send(route, {"for the first"}).code(), StatusCode::kUnavailable);
  ASSERT_TRUE(Hears(*agent));
  EXPECT_TRUE(links_->Send(senders_.back().routing_id, {"for the second"}).ok());
}

// The day ends no link, but an expired key gets no new one.
TEST_F(OutwardLinksTest, F34ConnectNoMoreToAKeyThatHasExpired) {
  agents_ = {{first_.public_key, {"first", v1::AGENT, last_day_}}};
  std::unique_ptr<ListeningAgent> agent = Listen(first_);
  const Endpoint endpoint = agent->endpoint();
  Start(endpoint);
  ASSERT_TRUE(IsAnnouncedTo(*agent));
  today_ = last_day_ + std::chrono::days{1};
  links_->Reconsider();
  EXPECT_TRUE(Hears(*agent));
  agent.reset();
  agent = Listen(first_, ToString(endpoint));
  EXPECT_TRUE(StaysAwayFrom(*agent));
  agents_ = {{first_.public_key, {"first", v1::AGENT, last_day_ + std::chrono::days{1}}}};
  links_->Reconsider();
  EXPECT_TRUE(IsAnnouncedTo(*agent));
}

// The next key of an agent is listed under its name before the last day of the present one.
TEST_F(OutwardLinksTest, TakeTheNextKeyOfTheirAgentAfterTheLastDayOfThePresentOne) {
  agents_ = {{first_.public_key, {"mine", v1::AGENT, last_day_}}, {second_.public_key, {"mine"}}};
  ASSERT_TRUE(WriteExpectedAgent(store_.path(), first_.public_key).ok());
  std::unique_ptr<ListeningAgent> agent = Listen(first_);
  const Endpoint endpoint = agent->endpoint();
  Start(endpoint, "mine");
  ASSERT_TRUE(IsAnnouncedTo(*agent));
  today_ = last_day_ + std::chrono::days{1};
  agent.reset();
  agent = Listen(second_, ToString(endpoint));
  EXPECT_TRUE(IsAnnouncedTo(*agent));
}

// A board without a battery learns the day some time after it has started.
TEST_F(OutwardLinksTest, ConnectToADatedKeyOnceTheClockIsSet) {
  agents_ = {{first_.public_key, {"first", v1::AGENT, last_day_}}};
  today_ = std::nullopt;
  const std::unique_ptr<ListeningAgent> agent = Listen(first_);
  Start(agent->endpoint());
  EXPECT_TRUE(StaysAwayFrom(*agent));
  today_ = last_day_;
  EXPECT_TRUE(IsAnnouncedTo(*agent));
}

}  // namespace
}  // namespace bitpilot

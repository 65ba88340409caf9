// The two words that may follow a key in authorized_agents, and what they do at the gate.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "device_daemon/server/keys.h"
#include "device_daemon/server/prepared_server.h"
#include "device_daemon/server/zap.h"

namespace bitpilot {
namespace {

const std::string kRawKeyOfAgent(32, 'k');

ZapDecision Knock(const AuthorizedAgent& agent, std::optional<Day> today) {
  return DecideZap({"1.0", "42", "bitpilot", "192.0.2.7", "", "CURVE", kRawKeyOfAgent},
                   {{EncodeZ85(kRawKeyOfAgent), agent}}, today);
}

TEST(AgentListTest, ReadsRoleAndLastDay) {
  std::vector<std::string> keys;
  for (int i = 0; i < 5; ++i) keys.push_back(MakeCurveKeys().public_key);
  const AgentList list =
      ParseAgentList("a " + keys[0] + "\nb " + keys[1] + " observer\nc " + keys[2] +
                     " admin 2027-01-31\nd " + keys[3] + " 2027-01-31 \ne " + keys[4] + " agent\n");
  EXPECT_TRUE(list.problems.empty());
  const std::optional<Day> day = ParseDay("2027-01-31");
  EXPECT_EQ(list.agents, (AuthorizedAgents{{keys[0], {"a", v1::AGENT, {}}},
                                           {keys[1], {"b", v1::OBSERVER, {}}},
                                           {keys[2], {"c", v1::ADMIN, day}},
                                           {keys[3], {"d", v1::AGENT, day}},
                                           {keys[4], {"e", v1::AGENT, {}}}}));
}

TEST(AgentListTest, AdmitsNobodyByALineThatItDoesNotUnderstand) {
  const std::string key = MakeCurveKeys().public_key;
  for (const char* rest : {"root", "Admin", "observer 2027-02-30", "2027-01-31 observer",
                           "observer tomorrow", "admin 2027-01-31 more", "observer admin"}) {
    const AgentList list = ParseAgentList("laptop " + key + " " + rest + "\n");
    EXPECT_TRUE(list.agents.empty()) << rest;
    ASSERT_EQ(list.problems.size(), 1U) << rest;
    EXPECT_NE(list.problems[0].find("line 1 admits nobody"), std::string::npos);
    EXPECT_NE(list.problems[0].find("YYYY-MM-DD"), std::string::npos);
  }
}

TEST(AgentListTest, LetsAKeyInOnItsLastDayAndNotOnTheNext) {
  const Day last = ParseDay("2027-01-31").value();
  const AuthorizedAgent agent{"laptop", v1::AGENT, last};
  EXPECT_TRUE(Knock(agent, last).accepted);
  const ZapDecision expired = Knock(agent, last + std::chrono::days{1});
  EXPECT_FALSE(expired.accepted);
  EXPECT_EQ(expired.reason, "the key of 'laptop' has expired, its last day was 2027-01-31");
  EXPECT_EQ(expired.reply.at(2), "400");
}

TEST(AgentListTest, RefusesADatedKeyWhileTheClockIsNotSet) {
  const AuthorizedAgent dated{"laptop", v1::AGENT, ParseDay("2099-01-01")};
  const ZapDecision refused = Knock(dated, std::nullopt);
  EXPECT_FALSE(refused.accepted);
  EXPECT_NE(refused.reason.find("clock is not set"), std::string::npos);
  EXPECT_TRUE(Knock({"laptop"}, std::nullopt).accepted);
}

TEST(AgentListTest, FindsTheAgentToConnectTo) {
  const AuthorizedAgents one{{"key a", {"a"}}, {"key o", {"o", v1::OBSERVER}}};
  EXPECT_EQ(ExpectedAgent(one, "").value(), "key a");
  EXPECT_EQ(ExpectedAgent(one, "a").value(), "key a");
  EXPECT_EQ(ExpectedAgent(one, "b").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ExpectedAgent({}, "").status().code(), StatusCode::kNotFound);
  const Status several =
      ExpectedAgent({{"key a", {"a"}}, {"key b", {"b", v1::ADMIN}}}, "").status();
  EXPECT_EQ(several.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(several.message().find("--agent NAME"), std::string::npos);
}

}  // namespace
}  // namespace bitpilot

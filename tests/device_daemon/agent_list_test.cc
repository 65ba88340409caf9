// The two words that may follow a key in authorized_agents, and what they do at the gate.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/server/expected_agent.h"
#include "device_daemon/server/keys.h"
#include "device_daemon/server/zap.h"
#include "tests/device_daemon/temporary_folder.h"

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

TEST(ExpectedAgentTest, IsTheOneNamedOrTheOnlyOneThatMayMeasure) {
  const AuthorizedAgents one{{"key a", {"a"}}, {"key o", {"o", v1::OBSERVER}}};
  const auto choose = [](const AuthorizedAgents& agents, const std::string& name) {
    return ChooseExpectedAgent(agents, name, std::nullopt, "");
  };
  EXPECT_EQ(choose(one, "")->public_key, "key a");
  EXPECT_EQ(choose(one, "a")->public_key, "key a");
  EXPECT_EQ(choose(one, "o")->public_key, "key o");
  EXPECT_EQ(choose(one, "b").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(choose({}, "").status().code(), StatusCode::kNotFound);
}

TEST(ExpectedAgentTest, OfSeveralIsTheOneExpectedBefore) {
  const AuthorizedAgents two{{"key a", {"a"}}, {"key b", {"b", v1::ADMIN}}};
  for (const char* before : {"", "key c"}) {
    const Status unknown = ChooseExpectedAgent(two, "", std::nullopt, before).status();
    EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(unknown.message().find("--agent NAME"), std::string::npos);
  }
  const Result<ExpectedAgent> before = ChooseExpectedAgent(two, "", std::nullopt, "key b");
  ASSERT_TRUE(before.ok());
  EXPECT_EQ(before->public_key, "key b");
  EXPECT_NE(before->note.find("'b'"), std::string::npos) << before->note;
  EXPECT_NE(before->note.find("--agent NAME"), std::string::npos) << before->note;
  // Whoever is named is meant.
  EXPECT_EQ(ChooseExpectedAgent(two, "a", std::nullopt, "key b")->public_key, "key a");
}

TEST(ExpectedAgentTest, HasAKeyThatIsGoodToday) {
  const Day last = *ParseDay("2027-01-31");
  const AuthorizedAgents keys{{"key 1", {"a", v1::AGENT, last}}, {"key 2", {"a"}}};
  EXPECT_EQ(ChooseExpectedAgent(keys, "a", last, "key 1")->public_key, "key 1");
  EXPECT_EQ(ChooseExpectedAgent(keys, "a", last + std::chrono::days{1}, "key 1")->public_key,
            "key 2");
  const AuthorizedAgents dated{{"key 1", {"a", v1::AGENT, last}}};
  const Status expired =
      ChooseExpectedAgent(dated, "", last + std::chrono::days{1}, "key 1").status();
  EXPECT_EQ(expired.code(), StatusCode::kPermissionDenied);
  EXPECT_NE(expired.message().find("has expired"), std::string::npos);
  EXPECT_EQ(ChooseExpectedAgent(dated, "", std::nullopt, "").status().code(),
            StatusCode::kPermissionDenied);
}

TEST(ExpectedAgentTest, IsRememberedInTheStore) {
  const TemporaryFolder store;
  EXPECT_EQ(ReadExpectedAgent(store.path()), "");
  const std::string key = MakeCurveKeys().public_key;
  ASSERT_TRUE(WriteExpectedAgent(store.path(), key).ok());
  EXPECT_EQ(ReadExpectedAgent(store.path()), key);
  std::ofstream(store / "expected_agent") << "half a k";
  EXPECT_EQ(ReadExpectedAgent(store.path()), "");
}

}  // namespace
}  // namespace bitpilot

#include "device_daemon/server/zap.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitpilot {
namespace {

const std::string kRawKey(32, 'k');

std::vector<std::string> Request() {
  return {"1.0", "42", "bitpilot", "192.0.2.7", "", "CURVE", kRawKey};
}

AuthorizedAgents Agents() { return {{EncodeZ85(kRawKey), {"laptop"}}}; }

TEST(DecideZapTest, AcceptsAListedKeyAndMakesItTheUserId) {
  const ZapDecision decision = DecideZap(Request(), Agents(), std::nullopt);
  EXPECT_TRUE(decision.accepted);
  EXPECT_EQ(decision.reply,
            (std::vector<std::string>{"1.0", "42", "200", "OK", EncodeZ85(kRawKey), ""}));
}

TEST(DecideZapTest, RefusesEverythingElse) {
  std::vector<std::vector<std::string>> requests;
  requests.push_back({});
  requests.push_back({"1.0", "42"});
  for (const auto& [frame, value] :
       std::vector<std::pair<std::size_t, std::string>>{{0, "2.0"},
                                                        {2, ""},
                                                        {2, "other"},
                                                        {5, "NULL"},
                                                        {5, "PLAIN"},
                                                        {6, std::string(32, 'x')},
                                                        {6, std::string(31, 'k')},
                                                        {6, ""}}) {
    requests.push_back(Request());
    requests.back()[frame] = value;
  }
  requests.push_back(Request());
  requests.back().push_back("more");
  for (const std::vector<std::string>& request : requests) {
    const ZapDecision decision = DecideZap(request, Agents(), std::nullopt);
    EXPECT_FALSE(decision.accepted);
    ASSERT_EQ(decision.reply.size(), 6U);
    EXPECT_EQ(decision.reply[2], "400");
    EXPECT_EQ(decision.reply[4], "");
    EXPECT_NE(decision.reason, "");
  }
}

TEST(DecideZapTest, RefusesAllWhenNobodyIsListed) {
  EXPECT_FALSE(DecideZap(Request(), {}, std::nullopt).accepted);
}

}  // namespace
}  // namespace bitpilot

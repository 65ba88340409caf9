#include "proto/endpoint.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitpilot {
namespace {

TEST(EndpointTest, ReadsNamesAndAddressesOfBothKinds) {
  const struct {
    const char* text;
    Endpoint endpoint;
  } kCases[] = {{"tcp://192.0.2.7:7777", {"192.0.2.7", 7777}},
                {"tcp://[2001:db8::7]:1", {"2001:db8::7", 1}},
                {"tcp://[::]:65535", {"::", 65'535}},
                {"tcp://[fe80::1%eth0]:7", {"fe80::1%eth0", 7}},
                {"tcp://rpi5-a.local:7777", {"rpi5-a.local", 7777}}};
  for (const auto& c : kCases) {
    for (const EndpointUse use : {EndpointUse::kConnect, EndpointUse::kListen}) {
      const Result<Endpoint> parsed = ParseEndpoint(c.text, use);
      ASSERT_TRUE(parsed.ok()) << parsed.status().message();
      EXPECT_EQ(*parsed, c.endpoint) << c.text;
      EXPECT_EQ(ToString(*parsed), c.text);
    }
  }
}

TEST(EndpointTest, RefusesWhatIsNoEndpointAndQuotesIt) {
  for (const char* text : {"",
                           "tcp://",
                           "tcp://:",
                           "tcp://:7",
                           "tcp://host",
                           "tcp://host:",
                           "tcp://host:7x",
                           "tcp://host:-1",
                           "tcp://host:65536",
                           "tcp://host:99999999999999999999",
                           "udp://host:7",
                           "host:7",
                           "tcp://::1:7",
                           "tcp://[::1]",
                           "tcp://[::1:7",
                           "tcp://[host]:7",
                           "tcp://[]:7",
                           "tcp://a b:7",
                           "tcp://a/b:7",
                           "tcp://[::1]x:7"}) {
    for (const EndpointUse use : {EndpointUse::kConnect, EndpointUse::kListen}) {
      const Status status = ParseEndpoint(text, use).status();
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << text;
      EXPECT_NE(status.message().find("'" + std::string(text) + "'"), std::string::npos)
          << status.message();
    }
  }
}

TEST(EndpointTest, TakesPortZeroAndAStarOnlyToListen) {
  EXPECT_EQ(ParseEndpoint("tcp://*:0", EndpointUse::kListen).value(), (Endpoint{"0.0.0.0", 0}));
  EXPECT_FALSE(ParseEndpoint("tcp://*:7", EndpointUse::kConnect).ok());
  EXPECT_FALSE(ParseEndpoint("tcp://host:0", EndpointUse::kConnect).ok());
}

TEST(EndpointTest, FindsTheAddressesOfLocalhostWithThePort) {
  const Result<std::vector<Endpoint>> addresses = ResolveEndpoint({"localhost", 7777});
  ASSERT_TRUE(addresses.ok()) << addresses.status().message();
  for (const Endpoint& address : *addresses) {
    EXPECT_TRUE(address.host == "127.0.0.1" || address.host == "::1") << address.host;
    EXPECT_EQ(address.port, 7777);
  }
}

TEST(EndpointTest, KeepsAnAddressAsItIs) {
  for (const char* host : {"127.0.0.1", "::1", "2001:db8::7"}) {
    EXPECT_EQ(ResolveEndpoint({host, 7}).value(), (std::vector<Endpoint>{{host, 7}}));
  }
}

// The name is one that RFC 6761 keeps from ever existing; without a name service there is no
// knowing.
TEST(EndpointTest, NamesAHostThatDoesNotExist) {
  const Status status = ResolveEndpoint({"no-such-board.invalid", 7}).status();
  EXPECT_TRUE(status.code() == StatusCode::kNotFound || status.code() == StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("'no-such-board.invalid'"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace bitpilot

// Endpoints of a static program (BITPILOT_STATIC): this test has endpoint.cc of its own, compiled as
// for one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "proto/endpoint.h"

namespace bitpilot {
namespace {

TEST(StaticEndpointTest, KeepsAnAddressAsItIs) {
  for (const char* host : {"127.0.0.1", "0.0.0.0", "::1", "2001:db8::7"}) {
    const Result<std::vector<Endpoint>> addresses = ResolveEndpoint({host, 7});
    ASSERT_TRUE(addresses.ok()) << addresses.status().message();
    EXPECT_EQ(*addresses, (std::vector<Endpoint>{{host, 7}}));
  }
}

// Even one that this machine would know.
TEST(StaticEndpointTest, SaysThatItTakesNoNames) {
  const Status status = ResolveEndpoint({"localhost", 7}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), testing::AllOf(testing::HasSubstr("host 'localhost'"),
                                               testing::HasSubstr("expected a numeric address")));
}

}  // namespace
}  // namespace bitpilot

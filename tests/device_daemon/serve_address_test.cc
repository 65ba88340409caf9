// A daemon at IPv6 addresses and at names.
#include <gtest/gtest.h>

#include <string>

#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"

namespace bitpilot {
namespace {

bool HasIpv6() {
  boost::asio::io_context io;
  ZmqContext context;
  return ZmqSocket(io, context, ZmqSocketKind::kRouter).Bind("tcp://[::1]:0").ok();
}

std::string PortOf(const std::string& endpoint) { return endpoint.substr(endpoint.rfind(':')); }

TEST(ServeAddressTest, F27ServesAtIpv6Addresses) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no ::1";
  for (const char* listen : {"tcp://[::1]:0", "tcp://[::]:0"}) {
    const DaemonProcess daemon({}, listen);
    EXPECT_EQ(daemon.endpoint(),
              std::string(listen, std::string(listen).size() - 2) + PortOf(daemon.endpoint()));
    TestAgent agent("tcp://[::1]" + PortOf(daemon.endpoint()), daemon.public_key(),
                    daemon.agent_keys());
    EXPECT_EQ(agent.Connect(), 1U) << listen;
  }
}

TEST(ServeAddressTest, ServesIpv4AgentsAtTheIpv6Wildcard) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no ::1";
  const DaemonProcess daemon({}, "tcp://[::]:0");
  TestAgent agent("tcp://127.0.0.1" + PortOf(daemon.endpoint()), daemon.public_key(),
                  daemon.agent_keys());
  EXPECT_EQ(agent.Connect(), 1U);
}

TEST(ServeAddressTest, F27ServesAtAName) {
  const DaemonProcess daemon({}, "tcp://localhost:0");
  TestAgent agent("tcp://127.0.0.1" + PortOf(daemon.endpoint()), daemon.public_key(),
                  daemon.agent_keys());
  EXPECT_EQ(agent.Connect(), 1U);
}

}  // namespace
}  // namespace bitpilot

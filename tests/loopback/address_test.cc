// Where boards are: IPv6, and names with several addresses.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>
#include <zmq.hpp>

#include "agent/fleet/zmq_link.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

// Something that completes the encrypted handshake, at an address of its own.
class Listener {
 public:
  explicit Listener(const std::string& host) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::ipv6, host.find(':') != std::string::npos);
    socket_.set(zmq::sockopt::curve_server, true);
    socket_.set(zmq::sockopt::curve_secretkey, keys_.secret_key);
    try {
      socket_.bind(ToString({host, 0}));
      port_ = ParseEndpoint(socket_.get(zmq::sockopt::last_endpoint), EndpointUse::kConnect)
                  .value()
                  .port;
    } catch (const zmq::error_t&) {
      port_ = 0;
    }
  }
  // 0 if this machine does not have the address.
  std::uint16_t port() const { return port_; }
  BoardAddress Address(const std::string& host) const {
    return {"board", ToString({host, port_}), keys_.public_key, ""};
  }

 private:
  const AgentKeys keys_ = GenerateCurveKeys();
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::router};
  std::uint16_t port_ = 0;
};

// A port that takes connections and never says a word.
class SilentPort {
 public:
  SilentPort() : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(descriptor_, 8), 0);
    EXPECT_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { close(descriptor_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  const int descriptor_;
  std::uint16_t port_ = 0;
};

// A port at which nothing listens.
std::uint16_t ClosedPort() { return SilentPort().port(); }

ZmqLink::Resolver Always(const std::vector<Endpoint>& addresses) {
  return [addresses](const Endpoint&) { return Result<std::vector<Endpoint>>(addresses); };
}

// The first thing that happens on the link; nothing if that takes more than ten seconds.
std::optional<Event> FirstEvent(ZmqLink& link) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end) {
    if (std::optional<Event> event = link.Next()) return event;
    link.Wait(std::chrono::milliseconds(100));
  }
  return std::nullopt;
}

bool ComesUp(ZmqLink& link) {
  const std::optional<Event> event = FirstEvent(link);
  return event && std::holds_alternative<LinkUp>(*event);
}

TEST(AddressTest, ReachesABoardAtAnIpv6Address) {
  const Listener board("::1");
  if (board.port() == 0) GTEST_SKIP() << "this machine has no ::1";
  ZmqLink link;
  ASSERT_TRUE(link.Open(board.Address("::1"), GenerateCurveKeys()).ok());
  EXPECT_TRUE(ComesUp(link));
}

TEST(AddressTest, ReachesABoardByName) {
  const Listener board("127.0.0.1");
  ZmqLink link;
  ASSERT_TRUE(link.Open(board.Address("localhost"), GenerateCurveKeys()).ok());
  EXPECT_TRUE(ComesUp(link));
}

// localhost is both ::1 and 127.0.0.1 on many machines, and a board listens at one of them.
TEST(AddressTest, TriesEveryAddressOfAName) {
  const Listener board("127.0.0.1");
  const Endpoint here{"127.0.0.1", board.port()};
  for (const Endpoint& other :
       {Endpoint{"::1", board.port()}, Endpoint{"127.0.0.1", ClosedPort()}}) {
    ZmqLink link(Always({other, here}));
    ASSERT_TRUE(link.Open(board.Address("name"), GenerateCurveKeys()).ok());
    EXPECT_TRUE(ComesUp(link)) << ToString(other);
  }
}

TEST(AddressTest, TriesTheNextAddressWhenOneSaysNothing) {
  const Listener board("127.0.0.1");
  const SilentPort silent;
  ZmqLink link(Always({{"127.0.0.1", silent.port()}, {"127.0.0.1", board.port()}}));
  ASSERT_TRUE(link.Open(board.Address("name"), GenerateCurveKeys()).ok());
  EXPECT_TRUE(ComesUp(link));
}

// At one of a name's addresses may be somebody else.
TEST(AddressTest, TriesTheNextAddressWhenAnotherDaemonAnswers) {
  const Listener board("127.0.0.1");
  const Listener other("127.0.0.1");
  ZmqLink link(Always({{"127.0.0.1", other.port()}, {"127.0.0.1", board.port()}}));
  ASSERT_TRUE(link.Open(board.Address("name"), GenerateCurveKeys()).ok());
  EXPECT_TRUE(ComesUp(link));
}

TEST(AddressTest, TellsOfFailureOnceEveryAddressHasFailed) {
  const Listener board("127.0.0.1");
  ZmqLink link(Always({{"127.0.0.1", ClosedPort()}, {"127.0.0.2", ClosedPort()}}));
  ASSERT_TRUE(link.Open(board.Address("name"), GenerateCurveKeys()).ok());
  const std::optional<Event> event = FirstEvent(link);
  ASSERT_TRUE(event && std::holds_alternative<LinkDown>(*event));
  // Nothing follows: a second LinkDown would be taken for one of the next link.
  link.Wait(std::chrono::milliseconds(300));
  EXPECT_FALSE(link.Next().has_value());
}

// A board that announces its own name takes it along when it is switched off.
TEST(AddressTest, TakesAnUnknownNameForABoardThatIsAway) {
  const Listener board("127.0.0.1");
  bool known = false;
  ZmqLink link([&](const Endpoint& name) -> Result<std::vector<Endpoint>> {
    EXPECT_EQ(name.host, "rpi5-a.local");
    if (known) return std::vector<Endpoint>{{"127.0.0.1", name.port}};
    return Status(StatusCode::kNotFound, "unknown host 'rpi5-a.local'");
  });
  const AgentKeys keys = GenerateCurveKeys();
  ASSERT_TRUE(link.Open(board.Address("rpi5-a.local"), keys).ok());
  const std::optional<Event> event = FirstEvent(link);
  ASSERT_TRUE(event && std::holds_alternative<LinkDown>(*event));
  EXPECT_EQ(std::get<LinkDown>(*event).reason, "unknown host 'rpi5-a.local'");
  known = true;
  ASSERT_TRUE(link.Open(board.Address("rpi5-a.local"), keys).ok());
  EXPECT_TRUE(ComesUp(link));
}

}  // namespace
}  // namespace bitpilot

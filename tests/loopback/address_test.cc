// Where boards are: IPv6, and names with several addresses.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>
#include <zmq.hpp>

#include "agent/fleet/board_locator.h"
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

// Where a board is, by its name or address.
Result<BoardPlace> PlaceOf(
    const BoardAddress& board,
    const std::function<Result<std::vector<Endpoint>>(const Endpoint&)>& resolve) {
  std::mutex mutex;
  std::condition_variable changed;
  bool has_answer = false;
  BoardLocator locator(
      [&] {
        const std::lock_guard<std::mutex> lock(mutex);
        has_answer = true;
        changed.notify_all();
      },
      {resolve, [] { return Status(); }});
  locator.Ask(1, [board] { return Result<BoardAddress>(board); });
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [&] { return has_answer; });
  return locator.TakeAnswer()->place;
}

// A link and the hub that it needs.
struct HubAndLink {
  ZmqHub hub;
  ZmqLink link{hub};

  Status Open(const BoardAddress& board, const std::vector<Endpoint>& addresses) {
    return link.Open(board, addresses, GenerateCurveKeys());
  }
};

// The first thing that happens on the link; nothing if that takes more than ten seconds.
std::optional<ClientEvent> FirstEvent(HubAndLink& one) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end) {
    if (std::optional<ClientEvent> event = one.link.Next()) return event;
    one.hub.Wait(std::chrono::milliseconds(100));
  }
  return std::nullopt;
}

bool ComesUp(HubAndLink& one) {
  const std::optional<ClientEvent> event = FirstEvent(one);
  return event && std::holds_alternative<LinkUp>(*event);
}

TEST(AddressTest, ReachesABoardAtAnIpv6Address) {
  const Listener board("::1");
  if (board.port() == 0) GTEST_SKIP() << "this machine has no ::1";
  HubAndLink one;
  const Result<BoardPlace> place = BoardLocator::PlaceOfAddress(board.Address("::1"));
  ASSERT_TRUE(place.ok()) << place.status().message();
  ASSERT_TRUE(one.Open(place->board, place->addresses).ok());
  EXPECT_TRUE(ComesUp(one));
}

TEST(AddressTest, ReachesABoardByName) {
  const Listener board("127.0.0.1");
  HubAndLink one;
  EXPECT_EQ(BoardLocator::PlaceOfAddress(board.Address("localhost")).status().code(),
            StatusCode::kNotFound);
  const Result<BoardPlace> place = PlaceOf(board.Address("localhost"), ResolveEndpoint);
  ASSERT_TRUE(place.ok()) << place.status().message();
  ASSERT_TRUE(one.Open(place->board, place->addresses).ok());
  EXPECT_TRUE(ComesUp(one));
}

// localhost is both ::1 and 127.0.0.1 on many machines, and a board listens at one of them.
TEST(AddressTest, TriesEveryAddressOfAName) {
  const Listener board("127.0.0.1");
  const Endpoint here{"127.0.0.1", board.port()};
  for (const Endpoint& other :
       {Endpoint{"::1", board.port()}, Endpoint{"127.0.0.1", ClosedPort()}}) {
    HubAndLink one;
    ASSERT_TRUE(one.Open(board.Address("name"), {other, here}).ok());
    EXPECT_TRUE(ComesUp(one)) << ToString(other);
  }
}

TEST(AddressTest, TriesTheNextAddressWhenOneSaysNothing) {
  const Listener board("127.0.0.1");
  const SilentPort silent;
  HubAndLink one;
  ASSERT_TRUE(
      one.Open(board.Address("name"), {{"127.0.0.1", silent.port()}, {"127.0.0.1", board.port()}})
          .ok());
  EXPECT_TRUE(ComesUp(one));
}

// At one of a name's addresses may be somebody else.
TEST(AddressTest, TriesTheNextAddressWhenAnotherDaemonAnswers) {
  const Listener board("127.0.0.1");
  const Listener other("127.0.0.1");
  HubAndLink one;
  ASSERT_TRUE(
      one.Open(board.Address("name"), {{"127.0.0.1", other.port()}, {"127.0.0.1", board.port()}})
          .ok());
  EXPECT_TRUE(ComesUp(one));
}

TEST(AddressTest, TellsOfFailureOnceEveryAddressHasFailed) {
  const Listener board("127.0.0.1");
  HubAndLink one;
  ASSERT_TRUE(
      one.Open(board.Address("name"), {{"127.0.0.1", ClosedPort()}, {"127.0.0.2", ClosedPort()}})
          .ok());
  const std::optional<ClientEvent> event = FirstEvent(one);
  ASSERT_TRUE(event && std::holds_alternative<LinkDown>(*event));
  // Nothing follows: a second LinkDown would be taken for one of the next link.
  one.hub.Wait(std::chrono::milliseconds(300));
  EXPECT_FALSE(one.link.Next().has_value());
}

// A board that announces its own name takes it along when it is switched off.
TEST(AddressTest, TakesAnUnknownNameForABoardThatIsAway) {
  const Listener board("127.0.0.1");
  std::atomic<bool> is_known = false;
  const auto resolve = [&](const Endpoint& name) -> Result<std::vector<Endpoint>> {
    EXPECT_EQ(name.host, "rpi5-a.local");
    if (is_known) return std::vector<Endpoint>{{"127.0.0.1", name.port}};
    return Status(StatusCode::kNotFound, "unknown host 'rpi5-a.local'");
  };
  const BoardAddress address = board.Address("rpi5-a.local");
  EXPECT_EQ(PlaceOf(address, resolve).status().message(), "unknown host 'rpi5-a.local'");
  is_known = true;
  const Result<BoardPlace> place = PlaceOf(address, resolve);
  ASSERT_TRUE(place.ok()) << place.status().message();
  HubAndLink one;
  ASSERT_TRUE(one.Open(place->board, place->addresses).ok());
  EXPECT_TRUE(ComesUp(one));
}

}  // namespace
}  // namespace bitpilot

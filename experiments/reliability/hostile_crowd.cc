#include "experiments/reliability/hostile_crowd.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "agent/fleet/board_locator.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Longer than the daemon waits for the end of a handshake.
constexpr std::chrono::seconds kLongestStay{7};
// Every so many connections one is encrypted and shows a key.
constexpr int kKeyEvery = 50;

// The first 64 bytes of a peer that wants CURVE (ZMTP 3.1).
std::string Greeting() {
  std::string greeting("\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01", 12);
  greeting += "CURVE";
  greeting.resize(64, '\0');
  return greeting;
}

std::string WordsOf(int number, std::mt19937& random) {
  const auto bytes = [&random](std::size_t count) {
    std::string made(count, '\0');
    for (char& one : made) one = static_cast<char>(random());
    return made;
  };
  switch (number % 7) {
    case 0:
      return "";
    case 1:
      return Greeting().substr(0, 11);
    case 2:
      return Greeting();
    case 3:  // a HELLO of 200 bytes that stops in its middle
      return Greeting() + std::string("\x04\xC8\x05HELLO\x01\x00", 10) + bytes(90);
    case 4:  // a whole one, whose box opens for nobody
      return Greeting() + std::string("\x04\xC8\x05HELLO\x01\x00", 10) + bytes(192);
    case 5:  // a frame of a terabyte
      return Greeting() + std::string("\x02\0\0\x01\0\0\0\0\0", 9) + bytes(500);
    default:
      return number % 2 == 0 ? bytes(4'096) : "GET / HTTP/1.1\r\nHost: board\r\n\r\n";
  }
}

// A connection that is none of ours to close before the daemon does.
struct Intruder {
  int socket = -1;
  std::string words;
  steady_clock::time_point came;
};

int ConnectTo(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  if (connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(made);
    return -1;
  }
  fcntl(made, F_SETFL, O_NONBLOCK);
  return made;
}

// False once it is over.
bool Continue(Intruder& one) {
  if (!one.words.empty()) {
    const ssize_t sent = send(one.socket, one.words.data(), one.words.size(), MSG_NOSIGNAL);
    if (sent > 0) one.words.erase(0, static_cast<std::size_t>(sent));
  }
  char heard[4'096];
  const ssize_t size = recv(one.socket, heard, sizeof heard, 0);
  const bool was_closed = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
  return !was_closed && steady_clock::now() < one.came + kLongestStay;
}

// Peers that end the handshake with a key of their own.
class KeyBearers {
 public:
  explicit KeyBearers(const BoardAddress& board) : board_(board) {
    for (int i = 0; i < 8; ++i) links_.push_back(std::make_unique<ZmqLink>(hub_));
  }
  // Shows one more key, and to every second one a wrong idea of the daemon's.
  void Show() {
    BoardAddress board = board_;
    if (++shown_ % 2 == 0) board.public_key = GenerateCurveKeys().public_key;
    const BoardPlace place = BoardLocator::PlaceOfAddress(board).value();
    BITPILOT_CHECK(
        links_[shown_ % links_.size()]->Open(board, place.addresses, GenerateCurveKeys()).ok());
  }
  // How many were let in since the last call.
  int LetIn() {
    int let_in = 0;
    for (ZmqLink* link : hub_.Wait(milliseconds{1})) {
      while (const std::optional<ClientEvent> event = link->Next()) {
        let_in += std::holds_alternative<LinkUp>(*event);
      }
    }
    return let_in;
  }

 private:
  const BoardAddress board_;
  ZmqHub hub_;
  std::vector<std::unique_ptr<ZmqLink>> links_;
  std::size_t shown_ = 0;
};

}  // namespace

HostileCrowd::HostileCrowd(const BoardAddress& board, int connections, milliseconds duration)
    : thread_([this, board, connections, duration] { Run(board, connections, duration); }) {}

HostileCrowd::~HostileCrowd() {
  stop_ = true;
  thread_.join();
}

void HostileCrowd::Run(const BoardAddress& board, int connections, milliseconds duration) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const auto port =
      static_cast<std::uint16_t>(std::stoi(board.endpoint.substr(board.endpoint.rfind(':') + 1)));
  std::mt19937 random(33);
  KeyBearers bearers(board);
  std::vector<Intruder> inside;
  const auto begin = steady_clock::now();
  for (int number = 0; !stop_ && (number < connections || !inside.empty());) {
    const double passed = std::chrono::duration<double>(steady_clock::now() - begin) / duration;
    for (; number < connections && number < passed * connections; ++number) {
      if (number % kKeyEvery == 0) {
        bearers.Show();
        ++num_connected_;
        continue;
      }
      const int made = ConnectTo(port);
      if (made < 0) continue;
      ++num_connected_;
      inside.push_back({made, WordsOf(number, random), steady_clock::now()});
    }
    num_let_in_ += bearers.LetIn();
    std::erase_if(inside, [](Intruder& one) {
      if (Continue(one)) return false;
      close(one.socket);
      return true;
    });
    std::this_thread::sleep_for(milliseconds{5});
  }
  for (const Intruder& one : inside) close(one.socket);
  has_finished_ = true;
}

}  // namespace bitpilot

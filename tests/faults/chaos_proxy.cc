#include "tests/faults/chaos_proxy.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <list>
#include <random>
#include <thread>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 16'384;
// Bytes on the way in one direction; who sends more has to wait, as for any full pipe.
constexpr std::size_t kMaxOnTheWay = 65'536;
constexpr std::size_t kMaxRecorded = 65'536;

tcp::endpoint ParseLoopback(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  BITPILOT_CHECK(endpoint.starts_with("tcp://") && colon > 6);
  return {asio::ip::make_address(endpoint.substr(6, colon - 6)),
          static_cast<std::uint16_t>(std::stoi(endpoint.substr(colon + 1)))};
}

void CloseWithReset(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace

// Everything but the counters belongs to the thread.
struct ChaosProxy::Impl {
  struct Connection;

  // One direction of a connection.
  struct Pipe {
    struct Piece {
      std::string bytes;
      Clock::time_point due;
    };

    Pipe(Connection& of, Direction way, tcp::socket& from, tcp::socket& to)
        : connection(of), direction(way), source(from), sink(to), timer(of.owner.io) {}

    void Read();
    void TakeIn(std::size_t size);
    void Write();
    void CloseIfDone();

    Connection& connection;
    const Direction direction;
    tcp::socket& source;
    tcp::socket& sink;
    asio::steady_timer timer;
    std::array<char, kReadBytes> buffer;
    std::deque<Piece> pieces;
    std::size_t bytes_on_the_way = 0;
    Clock::time_point last_due;
    bool reads = false;
    bool writes = false;
    bool has_ended = false;  // the source will send nothing more
  };

  struct Connection : std::enable_shared_from_this<Connection> {
    Connection(Impl& of, tcp::socket accepted)
        : owner(of),
          client(std::move(accepted)),
          server(of.io),
          to_server(*this, Direction::kToServer, client, server),
          to_client(*this, Direction::kToClient, server, client) {}

    void Begin();
    void Kick() {
      for (Pipe* pipe : {&to_server, &to_client}) {
        pipe->Read();
        pipe->Write();
      }
    }
    void End(Ending ending);

    Impl& owner;
    tcp::socket client;
    tcp::socket server;
    Pipe to_server;
    Pipe to_client;
    bool is_open = true;
  };

  explicit Impl(const std::string& server_endpoint)
      : acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        server(ParseLoopback(server_endpoint)) {}

  void Accept();
  PathOptions& path(Direction direction) { return paths[static_cast<std::size_t>(direction)]; }
  // How many of `size` bytes may still pass before the connection ends; nothing if none ends.
  std::size_t BeforeTheEnd(Direction direction, std::size_t size);

  asio::io_context io;
  tcp::acceptor acceptor;
  tcp::endpoint server;
  std::array<PathOptions, 2> paths;
  std::list<std::shared_ptr<Connection>> connections;
  std::vector<std::unique_ptr<tcp::socket>> half_open;  // kept, never read
  std::string recorded;                                 // that the latest client sent
  struct Planned {
    Direction direction;
    std::size_t bytes;
    Ending ending;
  };
  std::vector<Planned> planned;
  bool refuses = false;
  std::mt19937 random{7};

  std::atomic<int> num_connections{0};
  std::atomic<int> num_open{0};
  std::array<std::atomic<std::size_t>, 2> num_bytes{};
  std::thread thread;
};

void ChaosProxy::Impl::Accept() {
  acceptor.async_accept([this](error_code error, tcp::socket accepted) {
    if (error) return;
    if (refuses) {
      CloseWithReset(accepted);
    } else {
      ++num_connections;
      recorded.clear();
      auto connection = std::make_shared<Connection>(*this, std::move(accepted));
      connections.push_back(connection);
      connection->Begin();
    }
    Accept();
  });
}

void ChaosProxy::Impl::Connection::Begin() {
  ++owner.num_open;
  error_code ignored;
  client.set_option(tcp::no_delay(true), ignored);
  // The kernel would take megabytes for a client that does not read.
  server.open(owner.server.protocol(), ignored);
  server.set_option(asio::socket_base::receive_buffer_size(kReadBytes), ignored);
  server.async_connect(owner.server, [self = shared_from_this()](error_code error) {
    if (!self->is_open) return;
    if (error) return self->End(Ending::kReset);
    error_code unimportant;
    self->server.set_option(tcp::no_delay(true), unimportant);
    self->Kick();
  });
}

void ChaosProxy::Impl::Connection::End(Ending ending) {
  if (!std::exchange(is_open, false)) return;
  --owner.num_open;
  to_server.timer.cancel();
  to_client.timer.cancel();
  error_code ignored;
  if (ending == Ending::kClose) {
    client.close(ignored);
    server.close(ignored);
  } else {
    CloseWithReset(client);
    if (ending == Ending::kHalfOpen) {
      owner.half_open.push_back(std::make_unique<tcp::socket>(std::move(server)));
    } else {
      CloseWithReset(server);
    }
  }
  owner.connections.remove(shared_from_this());
}

void ChaosProxy::Impl::Pipe::Read() {
  const PathOptions& path = connection.owner.path(direction);
  if (!connection.is_open || reads || has_ended || path.is_cut ||
      bytes_on_the_way >= kMaxOnTheWay) {
    return;
  }
  reads = true;
  source.async_read_some(asio::buffer(buffer), [this, alive = connection.shared_from_this()](
                                                   error_code error, std::size_t size) {
    reads = false;
    if (!connection.is_open) return;
    has_ended = bool(error);
    if (size > 0) TakeIn(size);
    Read();
    Write();
  });
}

void ChaosProxy::Impl::Pipe::TakeIn(std::size_t size) {
  Impl& owner = connection.owner;
  const PathOptions& path = owner.path(direction);
  if (direction == Direction::kToServer && owner.recorded.size() < kMaxRecorded) {
    owner.recorded.append(buffer.data(), std::min(size, kMaxRecorded - owner.recorded.size()));
  }
  bytes_on_the_way += size;
  const std::size_t step = path.piece_bytes == 0 ? size : path.piece_bytes;
  for (std::size_t at = 0; at < size; at += step) {
    const std::size_t length = std::min(step, size - at);
    Clock::time_point due = Clock::now() + path.delay;
    if (path.jitter.count() > 0) {
      std::uniform_int_distribution<std::int64_t> spread(-path.jitter.count(), path.jitter.count());
      due += std::chrono::milliseconds(spread(owner.random));
    }
    due = std::max(due, last_due);
    last_due = due;
    // The link is busy with a piece for as long as its bytes take.
    if (path.bytes_per_second > 0) {
      last_due += std::chrono::nanoseconds(1'000'000'000ULL * length / path.bytes_per_second);
    }
    pieces.push_back({std::string(buffer.data() + at, length), last_due});
  }
}

std::size_t ChaosProxy::Impl::BeforeTheEnd(Direction direction, std::size_t size) {
  std::size_t allowed = size;
  for (const Planned& end : planned) {
    if (end.direction == direction) allowed = std::min(allowed, end.bytes);
  }
  return allowed;
}

void ChaosProxy::Impl::Pipe::Write() {
  Impl& owner = connection.owner;
  if (!connection.is_open || writes || owner.path(direction).is_cut) return;
  if (pieces.empty()) return CloseIfDone();
  writes = true;
  const auto alive = connection.shared_from_this();
  if (pieces.front().due > Clock::now()) {
    timer.expires_at(pieces.front().due);
    timer.async_wait([this, alive](error_code) {
      writes = false;
      Write();
    });
    return;
  }
  std::string& bytes = pieces.front().bytes;
  const std::size_t full = bytes.size();
  bytes.resize(owner.BeforeTheEnd(direction, full));
  asio::async_write(
      sink, asio::buffer(bytes), [this, alive, full](error_code error, std::size_t written) {
        writes = false;
        Impl& of = connection.owner;
        of.num_bytes[static_cast<std::size_t>(direction)] += written;
        if (!connection.is_open) return;
        if (error) return connection.End(Ending::kReset);
        pieces.pop_front();
        bytes_on_the_way -= full;
        for (Planned& end : of.planned) {
          if (end.direction == direction) end.bytes -= std::min(end.bytes, written);
        }
        const auto reached = std::find_if(
            of.planned.begin(), of.planned.end(),
            [this](const Planned& end) { return end.direction == direction && end.bytes == 0; });
        if (reached != of.planned.end()) {
          const Ending ending = reached->ending;
          of.planned.erase(reached);
          return connection.End(ending);
        }
        Read();
        Write();
      });
}

void ChaosProxy::Impl::Pipe::CloseIfDone() {
  if (has_ended && pieces.empty()) connection.End(Ending::kClose);
}

ChaosProxy::ChaosProxy(const std::string& server) : impl_(std::make_unique<Impl>(server)) {
  endpoint_ = "tcp://127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port());
  impl_->Accept();
  impl_->thread = std::thread([impl = impl_.get()] { impl->io.run(); });
}

ChaosProxy::~ChaosProxy() {
  impl_->io.stop();
  impl_->thread.join();
}

void ChaosProxy::SetPath(Direction direction, const PathOptions& path) {
  asio::post(impl_->io, [impl = impl_.get(), direction, path] {
    impl->path(direction) = path;
    for (const auto& connection : impl->connections) connection->Kick();
  });
}

void ChaosProxy::SetBothPaths(const PathOptions& path) {
  SetPath(Direction::kToServer, path);
  SetPath(Direction::kToClient, path);
}

void ChaosProxy::EndAll(Ending ending) {
  std::promise<void> done;
  asio::post(impl_->io, [this, ending, &done] {
    const auto open = impl_->connections;
    for (const auto& connection : open) connection->End(ending);
    done.set_value();
  });
  done.get_future().wait();
}

void ChaosProxy::EndAfter(Direction direction, std::size_t bytes, Ending ending) {
  BITPILOT_CHECK(bytes > 0);
  asio::post(impl_->io, [impl = impl_.get(), direction, bytes, ending] {
    impl->planned.push_back({direction, bytes, ending});
  });
}

void ChaosProxy::Refuse(bool refuse) {
  asio::post(impl_->io, [impl = impl_.get(), refuse] { impl->refuses = refuse; });
}

void ChaosProxy::Redirect(const std::string& server) {
  asio::post(impl_->io, [impl = impl_.get(), to = ParseLoopback(server)] { impl->server = to; });
}

std::size_t ChaosProxy::ReplayLatest(std::chrono::milliseconds patience) {
  std::promise<std::pair<std::string, tcp::endpoint>> promise;
  asio::post(impl_->io, [this, &promise] { promise.set_value({impl_->recorded, impl_->server}); });
  const auto [bytes, server] = promise.get_future().get();
  asio::io_context io;
  tcp::socket socket(io);
  error_code error;
  socket.connect(server, error);
  BITPILOT_CHECK(!error);
  asio::write(socket, asio::buffer(bytes), error);
  std::size_t answered = 0;
  std::array<char, kReadBytes> buffer;
  const std::function<void()> read = [&] {
    socket.async_read_some(asio::buffer(buffer), [&](error_code ended, std::size_t size) {
      answered += size;
      if (!ended) read();
    });
  };
  read();
  io.run_for(patience);
  return answered;
}

int ChaosProxy::num_connections() const { return impl_->num_connections; }
int ChaosProxy::num_open() const { return impl_->num_open; }
std::size_t ChaosProxy::num_bytes(Direction direction) const {
  return impl_->num_bytes[static_cast<std::size_t>(direction)];
}

}  // namespace bitpilot

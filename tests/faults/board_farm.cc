#include "tests/faults/board_farm.h"

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.
#include <variant>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/core/daemon_core.h"
#include "device_daemon/server/gate.h"
#include "device_daemon/server/zmq_socket.h"
#include "kernels/base/check.h"
#include "proto/framing.h"

namespace bitpilot {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// The answer of a worker that has just measured.
Message MeasuredBy(const Message& request) {
  const v1::MeasureRequest& asked = request.envelope.measure_request();
  Message reply;
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  result.set_measure_id(asked.measure_id());
  result.set_status(v1::OK);
  for (const std::string& sha256 : asked.network_sha256()) {
    v1::NetworkMeasurement& network = *result.add_networks();
    network.set_network_sha256(sha256);
    network.set_latency_median_ns(BoardFarm::kLatencyNs);
    network.set_latency_low_ns(BoardFarm::kLatencyNs);
    network.set_latency_high_ns(BoardFarm::kLatencyNs);
    network.set_confidence(0.96);
    network.add_window_ns(BoardFarm::kLatencyNs);
    network.add_window_cpu_ns(BoardFarm::kLatencyNs);
    network.set_inferences_per_window(1);
  }
  return reply;
}

// A board that is on. What it stores is the farm's as long as nobody switches it off.
class FarmBoard {
 public:
  FarmBoard(asio::io_context& io, ZmqContext& context, const std::string& secret_key,
            const std::string& endpoint, std::string boot_id)
      : core_(ConfigOf(std::move(boot_id))), socket_(io, context, ZmqSocketKind::kRouter) {
    BITPILOT_CHECK(socket_.SecureAsServer(secret_key).ok());
    BITPILOT_CHECK(socket_.LimitPeers(std::size_t{8} << 20).ok());
    // The port is free again as soon as the last socket's thread has closed it.
    Status bound;
    for (int i = 0; i < 500; ++i) {
      bound = socket_.Bind(endpoint);
      if (bound.ok()) break;
      std::this_thread::sleep_for(milliseconds{10});
    }
    BITPILOT_CHECK(bound.ok());
    socket_.OnMessage([this](const ZmqMessage& message) { Receive(message); });
  }

  const std::string& endpoint() const { return socket_.bound_endpoint(); }
  void Feed(const daemon::Event& event) {
    const auto now = std::chrono::duration_cast<milliseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
    for (const daemon::Action& action : core_.Step(event, now)) {
      std::visit([this](const auto& one) { Do(one); }, action);
    }
  }

 private:
  static daemon::CoreConfig ConfigOf(std::string boot_id) {
    daemon::CoreConfig config;
    config.boot_id = std::move(boot_id);
    config.capabilities.set_backend("kernels");
    return config;
  }

  void Receive(const ZmqMessage& message) {
    if (message.frames.size() < 2) return;
    const std::vector<std::string_view> frames(message.frames.begin() + 1, message.frames.end());
    Result<Message> decoded = DecodeMessage(frames);
    BITPILOT_CHECK(decoded.ok());
    Feed(daemon::MessageReceived{
        {message.frames[0], message.user_id}, std::move(decoded).value(), {}});
  }

  void Do(const daemon::Send& send) {
    std::vector<std::string> frames = EncodeMessage(send.message);
    frames.insert(frames.begin(), send.routing_id);
    (void)socket_.Send(frames);  // whose agent is gone asks again
  }
  void Do(const daemon::StoreEpoch& store) { Feed(daemon::EpochStored{store.epoch, Status()}); }
  void Do(const daemon::PrepareArtifact& prepare) {
    sizes_[prepare.request.sha256] = prepare.total_bytes;
    Feed(daemon::ArtifactAnswered{prepare.request, ArtifactState{0, false}});
  }
  void Do(const daemon::AppendArtifact& append) {
    const std::uint64_t have = append.offset + append.bytes.size();
    Feed(daemon::ArtifactAnswered{append.request,
                                  ArtifactState{have, have == sizes_[append.request.sha256]}});
  }
  void Do(const daemon::StartJob& start) {
    Feed(daemon::WorkerAnswered{start.job, MeasuredBy(start.request)});
  }
  void Do(const daemon::StopJob& stop) {
    Feed(daemon::WorkerFailed{stop.job, v1::CANCELLED, "stopped"});
  }
  void Do(const daemon::StoreResult& store) {
    Feed(daemon::ResultStored{store.measure_id, Status()});
  }
  void Do(const daemon::StoreDrain&) { Feed(daemon::DrainStored{Status()}); }
  void Do(const daemon::DropArtifact&) {}
  void Do(const daemon::DropResult&) {}
  void Do(const daemon::Log&) {}

  daemon::DaemonCore core_;
  ZmqSocket socket_;
  std::map<std::string, std::uint64_t> sizes_;
};

}  // namespace

// Everything below belongs to the thread.
struct BoardFarm::Impl {
  Impl(int num_boards, const AgentKeys& agent)
      : boards(static_cast<std::size_t>(num_boards)),
        gate(
            io, context, AuthorizedAgents{{agent.public_key, {"agent"}}},
            [] { return std::optional<Day>(); }, [](const std::string&) {}),
        timer(io) {
    BITPILOT_CHECK(gate.Open().ok());
    for (int i = 0; i < num_boards; ++i) {
      keys.push_back(MakeCurveKeys());
      // Agents connect from 127.0.0.1: none of their ports is in the way of a board that boots.
      endpoints.push_back("tcp://127.0.0.2:0");
    }
    PassTime();
    thread = std::thread([this] { io.run(); });
  }
  ~Impl() {
    Run([this] {
      boards.clear();
      timer.cancel();
    });
    io.stop();
    thread.join();
  }

  void Run(const std::function<void()>& work) {
    std::promise<void> done;
    asio::post(io, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  void PassTime() {
    timer.expires_after(milliseconds{100});
    timer.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      for (const auto& board : boards) {
        if (board) board->Feed(daemon::TimePassed{});
      }
      PassTime();
    });
  }

  asio::io_context io;
  ZmqContext context;
  asio::executor_work_guard<asio::io_context::executor_type> guard = asio::make_work_guard(io);
  std::vector<std::unique_ptr<FarmBoard>> boards;
  Gate gate;
  asio::steady_timer timer;
  std::vector<CurveKeys> keys;
  std::vector<std::string> endpoints;
  std::uint64_t boots = 0;
  std::thread thread;
};

BoardFarm::BoardFarm(int num_boards, const AgentKeys& agent)
    : impl_(std::make_unique<Impl>(num_boards, agent)) {}

BoardFarm::~BoardFarm() = default;

void BoardFarm::SwitchOn() {
  impl_->Run([this] {
    for (std::size_t i = 0; i < impl_->boards.size(); ++i) {
      std::string boot = std::to_string(++impl_->boots);
      boot.resize(16, '.');
      impl_->boards[i] =
          std::make_unique<FarmBoard>(impl_->io, impl_->context, impl_->keys[i].secret_key,
                                      impl_->endpoints[i], std::move(boot));
      impl_->endpoints[i] = impl_->boards[i]->endpoint();
    }
  });
  addresses_.clear();
  for (std::size_t i = 0; i < impl_->endpoints.size(); ++i) {
    addresses_.push_back(BoardAddress{"board " + std::to_string(i), impl_->endpoints[i],
                                      impl_->keys[i].public_key, ""});
  }
}

void BoardFarm::SwitchOff() {
  impl_->Run([this] {
    for (auto& board : impl_->boards) board.reset();
  });
}

}  // namespace bitpilot

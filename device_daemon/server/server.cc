#include "device_daemon/server/server.h"

#include <chrono>
#include <csignal>
#include <deque>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/measurement/system_info.h"
#include "device_daemon/server/board_clock.h"
#include "device_daemon/server/drain_file.h"
#include "device_daemon/server/file_watch.h"
#include "device_daemon/server/gate.h"
#include "device_daemon/server/housekeeping.h"
#include "device_daemon/server/lease_epoch_file.h"
#include "device_daemon/server/log.h"
#include "device_daemon/server/outward_links.h"
#include "device_daemon/server/prepared_server.h"
#include "device_daemon/server/service_manager.h"
#include "device_daemon/worker/sandbox.h"
#include "kernels/base/host_name.h"
#include "kernels/base/number_text.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxZmqFrameBytes = std::size_t{8} << 20;
constexpr int kShutdownLingerMs = 1'000;

class Server {
 public:
  Server(const ServerOptions& options, PreparedServer prepared);

  Status Open();
  ServerAddress address() const {
    return {socket_.bound_endpoint(), keys_.public_key, options_.connect};
  }
  void Run() {
    io_.restart();
    io_.run();
  }

 private:
  Status Listen();
  OutwardLinks::Handlers OutwardHandlers();
  void OnMessage(daemon::Peer peer, ZmqMessage message);
  void OnSignal(int signal);
  void WaitForSignal();
  void ReloadAgents();
  void WatchAgents();
  DaemonMetrics Metrics();
  void Feed(daemon::Event event);
  void ArmTimer();
  WorkerMemory MemoryOfTheBoard();

  // One overload an action.
  void Perform(const daemon::Send& send);
  void Perform(const daemon::StoreEpoch& store);
  void Perform(const daemon::PrepareArtifact& prepare);
  void Perform(const daemon::AppendArtifact& append);
  void Perform(const daemon::StartJob& start);
  void Perform(const daemon::StopJob& stop) { jobs_.Stop(stop.job); }
  void Perform(const daemon::DropArtifact& drop) { store_.Drop(drop.sha256); }
  void Perform(const daemon::StoreResult& store);
  void Perform(const daemon::DropResult& drop) { results_.Drop(drop.measure_id); }
  void Perform(const daemon::StoreDrain& store);
  void Perform(const daemon::Log& log) { LogLine(log.text, log.event, log.fields, log.is_detail); }

  daemon::Milliseconds Now() const {
    return std::chrono::duration_cast<daemon::Milliseconds>(Clock::now() - start_);
  }

  const ServerOptions options_;
  const Clock::time_point start_ = Clock::now();
  CurveKeys keys_;
  boost::asio::io_context io_;
  ZmqContext context_;
  RefusalLog refusals_;
  bool serving_ = false;
  ArtifactStore store_;
  BaselineKeeper baseline_;
  ResultStore results_;
  BoardClock clock_;
  daemon::DaemonCore core_;
  Gate gate_;
  ZmqSocket socket_;
  OutwardLinks outward_;
  FileWatch agents_watch_;
  ServiceManager service_manager_;
  JobRunner jobs_;
  boost::asio::steady_timer timer_;
  std::uint64_t messages_received_ = 0;
  std::uint64_t messages_not_sent_ = 0;
  Housekeeping housekeeping_;
  boost::asio::signal_set signals_;
  std::deque<daemon::Event> events_;
};

Server::Server(const ServerOptions& options, PreparedServer prepared)
    : options_(options),
      keys_(std::move(prepared.keys)),
      store_(std::move(prepared.store)),
      baseline_(std::move(prepared.baseline)),
      results_(std::move(prepared.results)),
      clock_(options.store_folder),
      core_(MakeCoreConfig(options, prepared)),
      gate_(
          io_, context_, std::move(prepared.agents.agents), [this] { return clock_.Today(); },
          [this](const std::string& line) {
            if (serving_) refusals_.Add(line);
          }),
      socket_(io_, context_, ZmqSocketKind::kRouter),
      outward_(io_, context_, keys_, options.agent_name, options.store_folder, kMaxZmqFrameBytes,
               OutwardHandlers()),
      agents_watch_(io_, AuthorizedAgentsPath(options.keys_folder), [this] { ReloadAgents(); }),
      service_manager_(io_),
      jobs_(io_, WorkerCommandFor(options), MemoryOfTheBoard(),
            MakeEnergySetup(options, std::move(prepared.energy)),
            /*takes_turns=*/options.cost_table_path.empty(),
            [this](const daemon::Event& event) { Feed(event); }),
      timer_(io_),
      housekeeping_(
          io_, clock_, options.metrics_path, [this] { return core_.is_measuring(); },
          [this] { return Metrics(); }),
      signals_(io_, SIGINT, SIGTERM, SIGHUP) {}

WorkerMemory Server::MemoryOfTheBoard() {
  return {[this] { return baseline_.baseline(); },
          [this](const v1::BoardBaseline& seen) {
            const Status status = baseline_.Learn(seen);
            if (!status.ok()) LogLine("the board's baseline: " + status.message());
          }};
}

Status Server::Open() {
  BITPILOT_RETURN_IF_ERROR(gate_.Open());
  BITPILOT_RETURN_IF_ERROR(TestGate(io_, context_, gate_));
  if (!options_.endpoint.empty()) BITPILOT_RETURN_IF_ERROR(Listen());
  BITPILOT_RETURN_IF_ERROR(outward_.Open(options_.connect));
  const Status started = housekeeping_.Start();
  if (!started.ok()) return started.WithContext("--metrics");
  serving_ = true;
  WatchAgents();
  WaitForSignal();
  service_manager_.SayReady();
  return {};
}

Status Server::Listen() {
  BITPILOT_RETURN_IF_ERROR(socket_.SecureAsServer(keys_.secret_key));
  BITPILOT_RETURN_IF_ERROR(socket_.LimitPeers(kMaxZmqFrameBytes));
  BITPILOT_RETURN_IF_ERROR(socket_.OnHandshakeFailure([this](const HandshakeFailure& failure) {
    if (failure.is_known_to_gate) return;  // the gate has logged it
    refusals_.Add("refused " + failure.peer_address + ": " + failure.reason);
  }));
  BITPILOT_RETURN_IF_ERROR(socket_.Bind(options_.endpoint));
  socket_.OnMessage([this](ZmqMessage message) {
    if (message.frames.size() < 2) return;
    daemon::Peer peer{std::move(message.frames[0]), message.user_id};
    message.frames.erase(message.frames.begin());
    OnMessage(std::move(peer), std::move(message));
  });
  socket_.SetLinger(kShutdownLingerMs);
  return {};
}

OutwardLinks::Handlers Server::OutwardHandlers() {
  OutwardLinks::Handlers handlers;
  handlers.agents = [this]() -> const AuthorizedAgents& { return gate_.agents(); };
  handlers.today = [this] { return clock_.Today(); };
  handlers.announcement = [this] { return core_.Announcement(); };
  handlers.on_message = [this](daemon::Peer peer, ZmqMessage message) {
    OnMessage(std::move(peer), std::move(message));
  };
  return handlers;
}

void Server::OnMessage(daemon::Peer peer, ZmqMessage message) {
  ++messages_received_;
  // The second line of defence, should libzmq ever deliver what the gate did not let in; and the
  // end of sessions whose key was taken off the list.
  const AuthorizedAgent* agent = gate_.Find(peer.user_id);
  if (agent == nullptr) {
    refusals_.Add("dropped a message from " + message.peer_address + ": its key is not authorized");
    return;
  }
  peer.role = agent->role;
  const std::vector<std::string_view> frames(message.frames.begin(), message.frames.end());
  Result<Message> decoded = DecodeMessage(frames);
  if (!decoded.ok()) return Feed(daemon::FramesRefused{std::move(peer), decoded.status()});
  const v1::Envelope& envelope = decoded->envelope;
  daemon::MessageReceived event{std::move(peer), {}, {}};
  const auto note_if_missing = [&](const std::string& sha256) {
    if (sha256.size() != std::tuple_size_v<Sha256Digest>) return;
    store_.Touch(sha256);
    if (!store_.IsComplete(sha256)) event.missing_sha256.push_back(sha256);
  };
  if (envelope.has_infer_request()) note_if_missing(envelope.infer_request().network_sha256());
  for (const std::string& sha256 : envelope.measure_request().network_sha256()) {
    note_if_missing(sha256);
  }
  if (envelope.has_hello()) {
    // A connection may outlive the last day of its key; it gets no new session.
    const std::string refused = WhyNotToday(*agent, clock_.Today());
    if (!refused.empty()) {
      return Feed(
          daemon::FramesRefused{event.peer, Status(StatusCode::kPermissionDenied, refused)});
    }
    core_.set_free_memory_bytes(FreeMemoryBytes());
  }
  if (envelope.has_board_status_request()) {
    core_.set_temperature_celsius(housekeeping_.Celsius());
  }
  event.message = std::move(*decoded);
  Feed(std::move(event));
}

// Events that actions cause wait until the actions of the step before them are done.
void Server::Feed(daemon::Event event) {
  events_.push_back(std::move(event));
  if (events_.size() > 1) return;
  while (!events_.empty()) {
    for (const daemon::Action& action : core_.Step(events_.front(), Now())) {
      std::visit([this](const auto& one) { Perform(one); }, action);
    }
    events_.pop_front();
  }
  ArmTimer();
}

void Server::ArmTimer() {
  timer_.cancel();
  const std::optional<daemon::Milliseconds> deadline = core_.NextDeadline();
  if (!deadline) return;
  timer_.expires_at(start_ + *deadline);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Feed(daemon::TimePassed{});
  });
}

void Server::Perform(const daemon::Send& send) {
  std::vector<std::string> frames = EncodeMessage(send.message);
  Status status;
  if (OutwardLinks::IsRoute(send.routing_id)) {
    status = outward_.Send(send.routing_id, frames);
  } else {
    frames.insert(frames.begin(), send.routing_id);
    status = socket_.Send(frames);
  }
  if (status.ok()) return;
  // The peer is gone or does not read. Results are kept until they are acknowledged, so nothing is
  // lost.
  ++messages_not_sent_;
  const v1::Envelope& envelope = send.message.envelope;
  LogLine(std::string(BodyName(envelope.body_case())) + ": " + status.message(), "not_sent");
  // Whoever is gone asks again when it is back.
  if (envelope.has_measure_result() && status.code() == StatusCode::kResourceExhausted) {
    Feed(daemon::ResultNotSent{envelope.measure_result().measure_id()});
  }
}

void Server::Perform(const daemon::StoreResult& store) {
  Feed(daemon::ResultStored{store.measure_id, results_.Store(store.measure_id, store.kept)});
}

void Server::Perform(const daemon::StoreDrain& store) {
  Feed(daemon::DrainStored{
      WriteDrain(options_.store_folder,
                 store.drain ? std::optional<std::string>(store.reason) : std::nullopt)});
}

void Server::Perform(const daemon::StoreEpoch& store) {
  Feed(daemon::EpochStored{store.epoch, WriteLeaseEpoch(options_.store_folder, store.epoch)});
}

void Server::Perform(const daemon::PrepareArtifact& prepare) {
  Feed(daemon::ArtifactAnswered{
      prepare.request,
      store_.Prepare(prepare.request.sha256, prepare.total_bytes,
                     [this](std::string_view sha256) { return core_.NeedsArtifact(sha256); })});
}

void Server::Perform(const daemon::AppendArtifact& append) {
  Feed(daemon::ArtifactAnswered{append.request,
                                store_.Append(append.request.sha256, append.offset, append.bytes)});
}

void Server::Perform(const daemon::StartJob& start) {
  housekeeping_.CatchUp();
  jobs_.Start(start.job, start.request);
}

void Server::WaitForSignal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (!error) OnSignal(signal);
  });
}

void Server::OnSignal(int signal) {
  if (signal == SIGHUP) {
    ReloadAgents();
    WaitForSignal();
    return;
  }
  LogLine("stopping", "stopping");
  service_manager_.SayStopping();
  io_.stop();
}

// A list that cannot be read admits nobody: the old one may name those who are to be cut off.
void Server::ReloadAgents() {
  Result<AgentList> read = ReadAgentList(options_.keys_folder);
  if (!read.ok()) LogLine(read.status().message());
  AgentList list = read.ok() ? std::move(*read) : AgentList();
  for (const std::string& problem : list.problems) LogLine(problem);
  LogLine(Counted(static_cast<std::int64_t>(list.agents.size()), "agent is", "agents are") +
          " authorized now");
  daemon::AgentsReplaced replaced;
  for (const auto& [key, agent] : list.agents) replaced.roles[key] = agent.role;
  gate_.Replace(std::move(list.agents));
  Feed(std::move(replaced));
  outward_.Reconsider();
}

void Server::WatchAgents() {
  agents_watch_.Start();
  // It may have changed since it was read at the start.
  const Result<AgentList> now = ReadAgentList(options_.keys_folder);
  if (!now.ok() || now->agents != gate_.agents()) ReloadAgents();
}

DaemonMetrics Server::Metrics() {
  core_.set_temperature_celsius(housekeeping_.Celsius());
  DaemonMetrics metrics;
  metrics.board = options_.name.empty() ? HostName() : options_.name;
  metrics.status = core_.BoardStatusAt(Now());
  metrics.refused_peers = refusals_.count();
  metrics.messages_received = messages_received_;
  metrics.messages_not_sent = messages_not_sent_;
  return metrics;
}

}  // namespace

Status Serve(const ServerOptions& options,
             const std::function<void(const ServerAddress&)>& on_ready) {
  Result<PreparedServer> prepared = PrepareServer(options);
  if (!prepared.ok()) return prepared.status();
  for (const std::string& gap : SandboxGaps(ProbeSandbox())) LogLine(gap, "sandbox_gap");
  for (const std::string& problem : prepared->problems) LogLine(problem);
  Server server(options, std::move(*prepared));
  BITPILOT_RETURN_IF_ERROR(server.Open());
  on_ready(server.address());
  server.Run();
  return {};
}

}  // namespace bitpilot

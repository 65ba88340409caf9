#include "device_daemon/server/server.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <random>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/core/artifact_store.h"
#include "device_daemon/core/daemon_core.h"
#include "device_daemon/energy/source_choice.h"
#include "device_daemon/measurement/system_info.h"
#include "device_daemon/server/baseline_keeper.h"
#include "device_daemon/server/capabilities.h"
#include "device_daemon/server/gate.h"
#include "device_daemon/server/job_runner.h"
#include "device_daemon/server/lease_epoch_file.h"
#include "device_daemon/server/log.h"
#include "device_daemon/server/zmq_socket.h"
#include "device_daemon/worker/sandbox.h"
#include "kernels/base/number_text.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxZmqFrameBytes = std::size_t{8} << 20;
constexpr int kShutdownLingerMs = 1'000;
constexpr std::size_t kBootIdBytes = 16;

std::string RandomBytes(std::size_t size) {
  std::random_device source;
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(source() & 0xFF);
  return bytes;
}

// Everything that must be right before a socket opens.
struct Prepared {
  CurveKeys keys;
  AgentList agents;
  std::optional<CostTable> cost_table;
  ArtifactStore store;
  std::uint64_t last_epoch;
  EnergyChoice energy;
  v1::DeviceCapabilities capabilities;
  BaselineKeeper baseline;
};

// A model measures nothing, whatever this machine has.
Result<EnergyChoice> ChooseSource(const ServerOptions& options) {
  if (!options.cost_table_path.empty()) return EnergyChoice{nullptr, "the board is a model"};
  Result<std::vector<FoundEnergySource>> found = FindAllEnergySources(options.meter);
  if (!found.ok()) return found.status();
  return ChooseEnergySource(std::move(*found), options.energy_source);
}

EnergySetup MakeEnergySetup(const ServerOptions& options, EnergyChoice choice) {
  EnergySetup setup{nullptr, choice.reason, options.energy_tolerance};
  if (!choice.source) return setup;
  const std::string name = choice.source->info().name;
  const auto reopen = [meter = options.meter, name]() -> Result<std::unique_ptr<EnergySource>> {
    Result<std::vector<FoundEnergySource>> found = FindAllEnergySources(meter);
    if (!found.ok()) return found.status();
    Result<EnergyChoice> again = ChooseEnergySource(std::move(*found), name);
    if (!again.ok()) return again.status();
    return std::move(again->source);
  };
  setup.recorder = std::make_unique<EnergyRecorder>(std::move(choice.source), reopen);
  return setup;
}

daemon::CoreConfig MakeCoreConfig(const ServerOptions& options, const Prepared& prepared) {
  daemon::CoreConfig config;
  config.boot_id = RandomBytes(kBootIdBytes);
  config.last_epoch = prepared.last_epoch;
  config.capabilities = prepared.capabilities;
  config.limits.set_store_bytes(options.store_quota_bytes);
  config.limits.set_worker_memory_bytes(options.worker_memory_bytes);
  if (prepared.energy.source) {
    config.energy_duration =
        [info = prepared.energy.source->info()](const v1::MeasureRequest& request) {
          return EnergyPhaseDuration(request, info);
        };
  }
  return config;
}

// The worker may read everything in the store.
Status CheckStoreHoldsNoKeys(const ServerOptions& options) {
  std::error_code error;
  const std::string keys =
      std::filesystem::weakly_canonical(options.keys_folder, error).string() + "/";
  const std::string store =
      std::filesystem::weakly_canonical(options.store_folder, error).string() + "/";
  if (error || !keys.starts_with(store)) return {};
  return InvalidArgument("--store " + options.store_folder + " holds the keys " +
                         options.keys_folder +
                         ", which the process that runs networks must not read; choose another "
                         "folder");
}

Result<Prepared> Prepare(const ServerOptions& options) {
  BITPILOT_RETURN_IF_ERROR(CheckZmqSecurity());
  BITPILOT_RETURN_IF_ERROR(CheckStoreHoldsNoKeys(options));
  Result<CurveKeys> keys = ReadDaemonKeys(options.keys_folder);
  if (!keys.ok()) return keys.status().AsCorruptInput();
  Result<AgentList> agents = ReadAgentList(options.keys_folder);
  if (!agents.ok()) return agents.status().AsCorruptInput();
  std::optional<CostTable> cost_table;
  if (!options.cost_table_path.empty()) {
    Result<CostTable> table = ReadCostTableFile(options.cost_table_path);
    if (!table.ok()) return table.status();
    cost_table = std::move(*table);
  }
  Result<ArtifactStore> store =
      ArtifactStore::Open(options.store_folder, options.store_quota_bytes);
  if (!store.ok()) return store.status();
  const Result<std::uint64_t> epoch = ReadLeaseEpoch(options.store_folder);
  if (!epoch.ok()) return epoch.status();
  Result<EnergyChoice> energy = ChooseSource(options);
  if (!energy.ok()) return energy.status();
  v1::DeviceCapabilities capabilities =
      DescribeDevice(options.name, options.isa, options.core, cost_table);
  capabilities.set_shares_agent_host(options.shares_agent_host);
  *capabilities.mutable_energy() = DescribeEnergy(*energy, cost_table);
  BaselineKeeper baseline(options.store_folder, BaselineKey("/", capabilities));
  return Prepared{
      std::move(*keys), std::move(*agents), std::move(cost_table),   std::move(*store),
      *epoch,           std::move(*energy), std::move(capabilities), std::move(baseline)};
}

WorkerCommand WorkerCommandFor(const ServerOptions& options) {
  std::vector<std::string> arguments{"worker",
                                     "--store",
                                     options.store_folder,
                                     "--isa",
                                     std::string(ToString(options.isa)),
                                     "--cpu",
                                     std::to_string(options.core.cpu),
                                     "--memory-bytes",
                                     std::to_string(options.worker_memory_bytes),
                                     "--parent",
                                     std::to_string(getpid())};
  if (options.shares_agent_host) arguments.emplace_back("--shares-agent-host");
  if (!options.cost_table_path.empty()) {
    arguments.insert(arguments.end(), {"--cost-table", options.cost_table_path});
    if (options.fast) arguments.emplace_back("--fast");
  }
  return {options.program, std::move(arguments)};
}

class Server {
 public:
  Server(const ServerOptions& options, Prepared prepared);

  Status Open();
  ServerAddress address() const { return {socket_.bound_endpoint(), keys_.public_key}; }
  void Run() {
    io_.restart();
    io_.run();
  }

 private:
  void OnMessage(ZmqMessage message);
  void OnSignal(int signal);
  void WaitForSignal();
  void ReloadAgents();
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
  void Perform(const daemon::Log& log) { LogLine(log.text); }

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
  daemon::DaemonCore core_;
  Gate gate_;
  ZmqSocket socket_;
  JobRunner jobs_;
  boost::asio::steady_timer timer_;
  boost::asio::signal_set signals_;
  std::deque<daemon::Event> events_;
};

Server::Server(const ServerOptions& options, Prepared prepared)
    : options_(options),
      keys_(std::move(prepared.keys)),
      store_(std::move(prepared.store)),
      baseline_(std::move(prepared.baseline)),
      core_(MakeCoreConfig(options, prepared)),
      gate_(io_, context_, std::move(prepared.agents.agents),
            [this](const std::string& line) {
              if (serving_) refusals_.Add(line);
            }),
      socket_(io_, context_, ZmqSocketKind::kRouter),
      jobs_(io_, WorkerCommandFor(options), MemoryOfTheBoard(),
            MakeEnergySetup(options, std::move(prepared.energy)),
            /*takes_turns=*/options.cost_table_path.empty(),
            [this](const daemon::Event& event) { Feed(event); }),
      timer_(io_),
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
  BITPILOT_RETURN_IF_ERROR(socket_.SecureAsServer(keys_.secret_key));
  BITPILOT_RETURN_IF_ERROR(socket_.LimitPeers(kMaxZmqFrameBytes));
  BITPILOT_RETURN_IF_ERROR(socket_.OnHandshakeFailure([this](const HandshakeFailure& failure) {
    if (failure.is_known_to_gate) return;  // the gate has logged it
    refusals_.Add("refused " + failure.peer_address + ": " + failure.reason);
  }));
  BITPILOT_RETURN_IF_ERROR(socket_.Bind(options_.endpoint));
  socket_.OnMessage([this](ZmqMessage message) { OnMessage(std::move(message)); });
  socket_.SetLinger(kShutdownLingerMs);
  serving_ = true;
  WaitForSignal();
  return {};
}

void Server::OnMessage(ZmqMessage message) {
  if (message.frames.size() < 2) return;
  daemon::Peer peer{message.frames[0], message.user_id};
  // The second line of defence, should libzmq ever deliver what the gate did not let in; and the
  // end of sessions whose key was taken off the list.
  if (!gate_.IsAuthorized(peer.user_id)) {
    refusals_.Add("dropped a message from " + message.peer_address + ": its key is not authorized");
    return;
  }
  const std::vector<std::string_view> frames(message.frames.begin() + 1, message.frames.end());
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
  if (envelope.has_hello()) core_.set_free_memory_bytes(FreeMemoryBytes());
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
  frames.insert(frames.begin(), send.routing_id);
  const Status status = socket_.Send(frames);
  // The peer is gone or does not read. Results are kept until they are acknowledged, so nothing is
  // lost.
  if (!status.ok()) {
    LogLine(std::string(BodyName(send.message.envelope.body_case())) + ": " + status.message());
  }
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

void Server::Perform(const daemon::StartJob& start) { jobs_.Start(start.job, start.request); }

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
  LogLine("stopping");
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
  for (const auto& [key, name] : list.agents) replaced.user_ids.insert(key);
  gate_.Replace(std::move(list.agents));
  Feed(std::move(replaced));
}

}  // namespace

Status Serve(const ServerOptions& options,
             const std::function<void(const ServerAddress&)>& on_ready) {
  Result<Prepared> prepared = Prepare(options);
  if (!prepared.ok()) return prepared.status();
  for (const std::string& gap : SandboxGaps(ProbeSandbox())) LogLine(gap);
  for (const std::string& problem : prepared->agents.problems) LogLine(problem);
  Server server(options, std::move(*prepared));
  BITPILOT_RETURN_IF_ERROR(server.Open());
  on_ready(server.address());
  server.Run();
  return {};
}

}  // namespace bitpilot

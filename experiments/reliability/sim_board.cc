#include "experiments/reliability/sim_board.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "experiments/reliability/job_name.h"
#include "experiments/reliability/world.h"
#include "proto/validation.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForAYear{31'536'000'000};

std::string BootId(SimRandom& random) {
  std::string id;
  while (id.size() < kSessionIdBytes) {
    const std::uint64_t bits = random.Next();
    id.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  }
  return id;
}

// After the others a board holds no more than before, but for a result in place of a job.
bool FillsABoard(const v1::Envelope& request) {
  return request.has_hello() || request.has_measure_request() || request.has_infer_request();
}

}  // namespace

SimBoard::SimBoard(World& world, int index, const Scenario::Board& description)
    : world_(world), index_(index), description_(description), isa_(description.isa) {}

SimBoard::~SimBoard() = default;

void SimBoard::Start() {
  if (is_up()) return;
  daemon::CoreConfig config;
  config.boot_id = BootId(world_.random());
  config.last_epoch = epoch_;
  config.capabilities.set_name("board " + std::to_string(index_));
  const bool hides = world_.bug() == PlantedBug::kBoardHidesAChange;
  config.capabilities.set_isa(world_.bug() == PlantedBug::kAgentMixesClasses ? description_.tag
                              : hides                                        ? description_.isa
                                                                             : isa_);
  config.capabilities.set_kernel_build(hides ? "1" : kernels_);
  config.capabilities.set_backend("kernels");
  if (world_.bug() != PlantedBug::kBoardForgetsADrain) config.drain_reason = drain_reason_;
  if (world_.bug() != PlantedBug::kBoardLosesStoredResults) {
    for (const auto& [measure_id, kept] : results_) config.kept_results.push_back(kept);
  }
  core_ = std::make_unique<daemon::DaemonCore>(std::move(config));
  ++boot_;
  hangs_until_ = milliseconds{0};
  hangs_for_good_ = false;
  timer_at_.reset();
  world_.oracle().OnBoardStarted(index_, boot_, Kind());
  world_.oracle().OnDisturbed(Oracle::kAll, index_, world_.now());
  world_.ConnectOutwards(index_);
}

void SimBoard::Crash() {
  if (!is_up()) return;
  core_.reset();
  worker_.reset();
  held_up_.clear();
  ++num_workers_;
  world_.oracle().OnDisturbed(Oracle::kAll, index_, world_.now());
  world_.DropConnectionsOf(index_);
  // What was being written may be gone, and so may a file whose last blocks were not on the disk.
  for (auto file = files_.begin(); file != files_.end();) {
    const bool is_lost = world_.random().Permille(file->second.is_complete ? 50 : 400);
    file = is_lost ? files_.erase(file) : std::next(file);
  }
}

void SimBoard::Hang(std::optional<milliseconds> time) {
  if (!is_up()) return;
  hangs_for_good_ = !time;
  hangs_until_ = world_.now() + time.value_or(kForAYear);
  world_.oracle().OnDisturbed(Oracle::kAll, index_, time ? hangs_until_ : world_.now());
  // It takes what its worker says too late for a sign of life.
  if (worker_) FailWorker("TIMED_OUT");
}

void SimBoard::ComeToItself() {
  if (!hangs_for_good()) return;
  hangs_for_good_ = false;
  hangs_until_ = world_.now();
  world_.oracle().OnDisturbed(Oracle::kAll, index_, world_.now());
  for (auto& what : std::exchange(held_up_, {})) world_.At(world_.now(), std::move(what));
}

void SimBoard::Change(bool is_of_kernels) {
  Crash();
  (is_of_kernels ? kernels_ : isa_) += "'";
}

void SimBoard::SlowDown(milliseconds time) { slow_until_ = world_.now() + time; }

void SimBoard::CyclePower() {
  Crash();
  world_.After(world_.random().Time(500, 5'000), [this] { Start(); });
}

void SimBoard::AfterHang(std::function<void()> what) {
  if (!hangs_for_good_) return world_.At(hangs_until_, std::move(what));
  held_up_.push_back(std::move(what));
}

bool SimBoard::IsHanging() const { return world_.now() < hangs_until_; }

void SimBoard::Receive(const std::string& connection, const std::string& user, Message message) {
  if (!is_up()) return;
  if (IsHanging()) {
    // It is in the socket's buffer.
    AfterHang([this, connection, user, message = std::move(message), boot = boot_] {
      if (boot == boot_) Receive(connection, user, message);
    });
    return;
  }
  const v1::Envelope& envelope = message.envelope;
  Oracle& oracle = world_.oracle();
  const bool is_new =
      !envelope.has_hello() &&
      oracle.OnSessionMessage(index_, envelope.session_id(), envelope.request_id(), world_.now());
  if (envelope.has_result_ack()) {
    oracle.OnAcknowledged(index_, envelope.result_ack().measure_id());
  }
  asking_session_ = envelope.session_id();
  const v1::LeaseRequest& lease = envelope.lease_request();
  if (envelope.has_lease_request()) {
    if (is_new) {
      oracle.OnLeaseAsked(index_, envelope.session_id(), lease.priority(),
                          lease.kind() != v1::LeaseRequest::PER_JOB);
    }
    if (world_.bug() == PlantedBug::kBoardIgnoresPriorities) {
      message.envelope.mutable_lease_request()->set_priority(0);
    }
  }
  daemon::MessageReceived event{{connection, user}, message, {}};
  for (const std::string& sha256 : NetworksOf(envelope)) {
    const auto file = files_.find(sha256);
    if (file == files_.end() || !file->second.is_complete) event.missing_sha256.push_back(sha256);
  }
  Feed(event);
}

void SimBoard::Feed(const daemon::Event& event) {
  std::vector<daemon::Action> actions = core_->Step(event, world_.now());
  const int boot = boot_;
  const auto* message = std::get_if<daemon::MessageReceived>(&event);
  if (message != nullptr) WatchQueue(*message, actions);
  for (const daemon::Action& action : actions) {
    if (const auto* send = std::get_if<daemon::Send>(&action)) WatchAnswer(message, *send);
    std::visit([this](const auto& one) { Do(one); }, action);
    if (boot != boot_ || !is_up()) return;
  }
  if (message != nullptr) PlayBugs(message->message, actions);
  if (message != nullptr && FillsABoard(message->message.envelope)) WatchBounds();
  ArmTimer();
}

void SimBoard::ArmTimer() {
  const std::optional<milliseconds> deadline = core_->NextDeadline();
  if (!deadline || (timer_at_ && *timer_at_ <= *deadline)) return;
  timer_at_ = *deadline;
  world_.At(*deadline, [this, at = *deadline, boot = boot_] {
    if (boot != boot_ || !is_up() || timer_at_ != at) return;
    timer_at_.reset();
    if (!IsHanging()) return Feed(daemon::TimePassed{});
    AfterHang([this, boot] {
      if (boot == boot_ && is_up()) Feed(daemon::TimePassed{});
    });
  });
}

void SimBoard::Do(const daemon::Send& send) {
  const v1::Envelope& envelope = send.message.envelope;
  Oracle& oracle = world_.oracle();
  if (send.routing_id == kOperator) {
    if (envelope.has_hello_ack()) operator_session_ = envelope.hello_ack().session_id();
    return;
  }
  Message message = send.message;
  if (envelope.has_hello_ack() && description_.is_old) {
    message.envelope.mutable_hello_ack()->set_protocol_minor(2);
  }
  if (envelope.has_lease_denied() && world_.bug() == PlantedBug::kBoardGrantsAHeldLease) {
    message.envelope.mutable_lease_grant()->set_epoch(epoch_);
    message.envelope.mutable_lease_grant()->set_kind(v1::LeaseRequest::RESERVATION);
    message.envelope.mutable_lease_grant()->set_ttl_ms(30'000);
  }
  if (message.envelope.has_lease_grant()) {
    const v1::LeaseGrant& grant = message.envelope.lease_grant();
    oracle.OnLeaseGranted(index_,
                          {envelope.session_id(), world_.UserOf(send.routing_id), grant.epoch(),
                           grant.kind() != v1::LeaseRequest::PER_JOB, milliseconds(grant.ttl_ms())},
                          world_.now());
  }
  if (envelope.has_lease_released()) {
    oracle.OnLeaseReleased(index_, envelope.session_id());
    if (world_.bug() == PlantedBug::kBoardRunsWithoutLease && last_measure_) {
      RunAgainstTheRules(*last_measure_, /*is_measurement=*/false);
    }
  }
  world_.ToAgent(index_, send.routing_id, std::move(message));
}

void SimBoard::Do(const daemon::StoreEpoch& store) {
  if (world_.bug() != PlantedBug::kBoardForgetsEpochs) epoch_ = store.epoch;
  // The disk may be full.
  const bool fails = DiskIsFull();
  if (fails) {
    world_.oracle().OnLeaseFailed(index_, asking_session_, world_.now());
    world_.oracle().OnDisturbed(Oracle::kAll, index_, world_.now());
  }
  Feed(daemon::EpochStored{
      store.epoch, fails ? Status(StatusCode::kResourceExhausted, "no space left") : Status()});
}

bool SimBoard::DiskIsFull() const {
  return world_.has_faults() && world_.random().Permille(world_.faults().full_disks);
}

void SimBoard::Do(const daemon::StoreResult& store) {
  const bool fails = DiskIsFull();
  if (!fails) {
    results_[store.measure_id] = store.kept;
    world_.oracle().OnResultStored(index_, store.measure_id);
  }
  Feed(daemon::ResultStored{
      store.measure_id,
      fails ? Status(StatusCode::kResourceExhausted, "no space left") : Status()});
}

void SimBoard::Do(const daemon::DropResult& drop) {
  results_.erase(drop.measure_id);
  world_.oracle().OnResultDropped(index_, drop.measure_id);
}

void SimBoard::Do(const daemon::PrepareArtifact& prepare) {
  File& file = files_[prepare.request.sha256];
  if (!file.is_complete) file.total_bytes = prepare.total_bytes;
  Feed(daemon::ArtifactAnswered{prepare.request, ArtifactState{file.have_bytes, file.is_complete}});
}

void SimBoard::Do(const daemon::AppendArtifact& append) {
  const auto answer = [&](Result<ArtifactState> state) {
    Feed(daemon::ArtifactAnswered{append.request, std::move(state)});
  };
  const auto found = files_.find(append.request.sha256);
  if (found == files_.end()) return answer(InvalidArgument("a chunk that nobody announced"));
  File& file = found->second;
  const std::uint64_t end = append.offset + append.bytes.size();
  if (!file.is_complete && append.offset == file.have_bytes && end <= file.total_bytes) {
    file.have_bytes = end;
    file.is_complete = end == file.total_bytes;
  } else if (!file.is_complete && append.offset > file.have_bytes) {
    return answer(InvalidArgument("a chunk that leaves a gap"));
  }
  answer(ArtifactState{file.have_bytes, file.is_complete});
}

// ---- The worker

void SimBoard::Do(const daemon::StartJob& start) {
  if (world_.bug() == PlantedBug::kBoardRunsTwoJobsAtOnce && world_.random().Permille(200)) {
    RunAgainstTheRules(start.request, /*is_measurement=*/false);
  }
  worker_ = Worker{start.job, start.request, ++num_workers_, 0};
  RunWorker();
}

void SimBoard::RunWorker() {
  Worker& worker = *worker_;
  const v1::Envelope& envelope = worker.request.envelope;
  SimRandom& random = world_.random();
  Execution execution{JobNameOf(envelope), index_, boot_, NetworksOf(envelope), Kind()};
  if (world_.bug() == PlantedBug::kBoardMeasuresAnotherNetwork && random.Permille(100)) {
    execution.networks.front()[0] ^= 1;
  }
  worker.execution =
      world_.oracle().OnExecutionStarted(index_, envelope.session_id(), std::move(execution),
                                         envelope.has_measure_request(), world_.now());
  milliseconds takes = random.Time(50, 1'500);
  if (world_.now() < slow_until_) takes *= 10;
  const std::uint64_t number = worker.number;
  const bool fails = world_.has_faults() && random.Permille(world_.faults().worker_failures);
  const int kind = random.Below(3);
  if (fails && kind < 2) FailWorker(kind == 0 ? "TIMED_OUT" : "CRASH");
  if (fails && kind == 0) return;  // silent for ever: the core stops it
  ReportProgress(number, world_.now() + takes);
  world_.After(takes, [this, number, crashes = fails && kind == 1, boot = boot_] {
    if (boot != boot_ || !worker_ || worker_->number != number) return;
    if (!crashes) return FinishWorker(number);
    const daemon::JobId job = worker_->job;
    EndWorker();
    Feed(daemon::WorkerFailed{job, v1::CRASH, "signal 11"});
  });
}

void SimBoard::ReportProgress(std::uint64_t worker, milliseconds end) {
  const milliseconds next = world_.now() + milliseconds(4'000);
  if (next >= end) return;
  world_.At(next, [this, worker, end, boot = boot_] {
    if (boot != boot_ || !worker_ || worker_->number != worker) return;
    if (!IsHanging()) Feed(daemon::WorkerProgressed{worker_->job, "timing", 1, end - world_.now()});
    ReportProgress(worker, end);
  });
}

void SimBoard::FinishWorker(std::uint64_t number) {
  // A daemon that hangs reads its worker's answer later.
  if (IsHanging()) {
    return AfterHang([this, number, boot = boot_] {
      if (boot == boot_ && worker_ && worker_->number == number) FinishWorker(number);
    });
  }
  v1::MeasureStatus status = v1::OK;
  SimRandom& random = world_.random();
  if (world_.has_faults() && random.Permille(world_.faults().worker_failures / 2)) {
    constexpr v1::MeasureStatus kStatuses[] = {v1::NOISY, v1::THERMAL_ABORT, v1::POWER_ABORT,
                                               v1::WRONG_OUTPUT, v1::OUT_OF_MEMORY};
    status = kStatuses[random.Below(std::size(kStatuses))];
    if (status != v1::NOISY) FailWorker(v1::MeasureStatus_Name(status));
  }
  if (status == v1::OK || status == v1::NOISY) {
    world_.oracle().OnNumbers(worker_->execution, v1::MeasureStatus_Name(status));
  }
  if (world_.bug() == PlantedBug::kBoardHidesNoise && status == v1::NOISY) status = v1::OK;
  if (world_.bug() == PlantedBug::kBoardInventsFailures && random.Permille(50)) {
    status = v1::OUT_OF_MEMORY;
  }
  const daemon::JobId job = worker_->job;
  Message answer = AnswerOf(*worker_, status);
  EndWorker();
  Feed(daemon::WorkerAnswered{job, std::move(answer)});
}

void SimBoard::FailWorker(const std::string& status) {
  world_.oracle().OnWorkerFault(worker_->execution, status, world_.now());
}

void SimBoard::EndWorker() {
  worker_.reset();
  world_.oracle().OnExecutionEnded(index_, world_.now());
}

Message SimBoard::AnswerOf(const Worker& worker, v1::MeasureStatus status) const {
  Message message;
  const v1::Envelope& request = worker.request.envelope;
  if (request.has_infer_request()) {
    const std::uint32_t images = request.infer_request().num_images();
    message.envelope.mutable_infer_result()->set_num_images(images);
    message.envelope.mutable_infer_result()->set_num_classes(1);
    for (std::uint32_t i = 0; i < images; ++i) {
      const float logit = LogitOf({worker.execution, i});
      message.raw.append(reinterpret_cast<const char*>(&logit), sizeof logit);
    }
    return message;
  }
  v1::MeasureResult& result = *message.envelope.mutable_measure_result();
  result.set_measure_id(request.measure_request().measure_id());
  result.set_status(status);
  if (status != v1::OK && status != v1::NOISY) return message;
  const auto& networks = request.measure_request().network_sha256();
  for (int i = 0; i < networks.size(); ++i) {
    v1::NetworkMeasurement& network = *result.add_networks();
    const bool swaps = world_.bug() == PlantedBug::kBoardSwapsNetworks;
    const int position = swaps ? networks.size() - 1 - i : i;
    const double latency_ns = LatencyOf({worker.execution, static_cast<std::size_t>(position)});
    network.set_network_sha256(networks[i]);
    network.set_latency_median_ns(latency_ns);
    network.set_latency_low_ns(latency_ns);
    network.set_latency_high_ns(latency_ns);
    network.set_confidence(0.96);
    network.add_window_ns(latency_ns);
    network.add_window_cpu_ns(latency_ns);
  }
  return message;
}

void SimBoard::Do(const daemon::StopJob& stop) {
  world_.After(world_.random().Time(10, 1'000), [this, stop, boot = boot_] {
    if (boot != boot_ || !worker_ || worker_->job != stop.job) return;
    EndWorker();
    if (world_.bug() == PlantedBug::kBoardLosesAStoppedWorker) return;
    Feed(daemon::WorkerFailed{stop.job, v1::CRASH, "killed"});
  });
}

}  // namespace bitpilot::simulation

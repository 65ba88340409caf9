#include "experiments/reliability/sim_agent.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

// Of an inference: boards could not do it, and none says that it cannot be done.
bool IsBoardsError(StatusCode code) {
  switch (code) {
    case StatusCode::kUnavailable:
    case StatusCode::kDataCorrupt:
    case StatusCode::kTimeout:
    case StatusCode::kResourceExhausted:
    case StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

}  // namespace

SimAgent::SimAgent(World& world, int index, Study study)
    : world_(world),
      index_(index),
      study_(std::move(study)),
      num_open_(static_cast<int>(study_.jobs.size())) {}

SimAgent::~SimAgent() = default;

void SimAgent::Start() {
  if (is_running()) return;
  ++life_;
  fleet::FleetOptions options;
  options.max_jobs = world_.bug() == PlantedBug::kAgentKeepsEveryJob ? std::size_t{1} << 30
                                                                     : world_.scenario().max_jobs;
  options.health_check = HealthCheckOf(index_, life_);
  health_network_ = options.health_check->artifacts.front().sha256;
  options.retry_failed_after = milliseconds(60'000);
  options.power_cycle_after = milliseconds(8'000);
  options.boot_time = milliseconds(6'000);
  options.max_power_cycles =
      world_.bug() == PlantedBug::kAgentCutsPowerForEver ? 1 << 30 : kMaxPowerCycles;
  options.retries.unfit_wait = milliseconds(120'000);
  if (world_.bug() == PlantedBug::kAgentKeepsIdleBoards) options.give_back_after = kForever;
  options.expected = study_.classes;
  core_ = std::make_unique<fleet::FleetCore>(std::move(options));
  submitted_.clear();
  boards_of_.clear();
  infos_.clear();
  last_job_ = 0;
  last_board_ = 0;
  opened_.clear();
  leaving_.clear();
  is_closed_ = false;
  frozen_until_ = milliseconds{0};
  timer_at_.reset();
  has_news_of_boards_ = false;
  sent_.clear();
  held_.reset();
  world_.oracle().OnDisturbed(index_, Oracle::kAll, world_.now());
  for (int board = 0; board < world_.num_boards(); ++board) AddBoard(board);
  for (const auto& [number, job] : study_.jobs) {
    if (!job.has_ended) Submit(number);
  }
  if (world_.bug() == PlantedBug::kAgentKeepsEveryJob) {
    for (std::size_t i = 0; i < 2 * world_.scenario().max_jobs; ++i) Submit(0);
  }
  if (num_open_ == 0) Step(fleet::CloseRequested{});
}

void SimAgent::Crash() {
  if (!is_running()) return;
  core_.reset();
  ++life_;
  world_.oracle().OnDisturbed(index_, Oracle::kAll, world_.now());
  world_.DropConnectionsOfAgent(index_);
  if (world_.bug() != PlantedBug::kAgentLosesItsLastRecord || last_measure_id_.empty()) return;
  world_.oracle().OnRecordLost(index_, last_measure_id_);
}

void SimAgent::Freeze(milliseconds time) {
  frozen_until_ = world_.now() + time;
  world_.oracle().OnDisturbed(index_, Oracle::kAll, frozen_until_);
}

void SimAgent::AddBoard(int board) {
  fleet::BoardSpec spec;
  spec.id = ++last_board_;
  spec.tags = {world_.scenario().boards[static_cast<std::size_t>(board)].tag};
  spec.has_power_cycle = true;
  spec.client.board_name = "board " + std::to_string(board);
  spec.client.endpoint = "tcp://192.0.2." + std::to_string(board) + ":7777";
  spec.client.agent_build = "simulated";
  spec.client.holder = "agent " + std::to_string(index_);
  const Scenario::Agent& agent = world_.scenario().agents[static_cast<std::size_t>(index_)];
  spec.client.lease.kind = agent.reserves ? LeaseKind::kReservation : LeaseKind::kPerJob;
  spec.client.lease.priority = agent.priority;
  spec.client.connect_timeout = spec.client.reconnect_timeout = spec.client.lease_wait = kForever;
  spec.client.jitter_seed = world_.random().Next();
  boards_of_[spec.id] = board;
  world_.oracle().OnBoardAdded(index_, board);
  Step(fleet::BoardAdded{std::move(spec)});
}

void SimAgent::LeaveBoard(int board, milliseconds time) {
  if (!is_running() || world_.now() < frozen_until_) return;
  for (const auto& [id, of] : boards_of_) {
    if (of != board || !leaving_.insert(id).second) continue;
    world_.oracle().OnDisturbed(index_, board, world_.now() + time);
    Step(fleet::BoardRemoved{id});
    world_.After(time, [this, board, life = life_] {
      if (life == life_ && is_running()) AddBoard(board);
    });
    return;
  }
}

void SimAgent::Submit(int number) {
  const Study::Job& job = study_.jobs.at(number);
  fleet::JobSpec spec = job.spec;
  spec.request.id = ++last_job_;
  spec.first_attempt = job.attempts;
  submitted_[spec.request.id] = {number, std::holds_alternative<MeasureInput>(spec.request.input),
                                 world_.now()};
  Step(fleet::JobAdded{std::move(spec)});
}

void SimAgent::OnLink(int board, ClientEvent event) {
  if (!is_running()) return;
  if (world_.now() < frozen_until_) {
    world_.At(frozen_until_, [this, board, event = std::move(event), life = life_]() mutable {
      if (life == life_) OnLink(board, std::move(event));
    });
    return;
  }
  for (const auto& [id, of] : boards_of_) {
    if (of == board) return Step(fleet::LinkEvent{id, std::move(event)});
  }
}

void SimAgent::Step(fleet::Event event) {
  for (fleet::Action& action : core_->Step(std::move(event), world_.now())) {
    std::visit([this](auto& one) { Do(one); }, action);
  }
  world_.oracle().OnQueue("jobs of an agent", core_->num_jobs(),
                          static_cast<std::size_t>(world_.scenario().jobs_per_agent));
  CheckNames();
  ArmTimer();
}

void SimAgent::ArmTimer() {
  const std::optional<milliseconds> wakeup = core_->NextWakeup();
  if (!wakeup || (timer_at_ && *timer_at_ <= *wakeup)) return;
  if (world_.bug() == PlantedBug::kAgentIgnoresTime) return;
  timer_at_ = *wakeup;
  world_.At(std::max(*wakeup, frozen_until_), [this, at = *wakeup, life = life_] {
    if (life != life_ || !is_running() || timer_at_ != at) return;
    timer_at_.reset();
    if (world_.now() >= frozen_until_) return Step(fleet::TimePassed{});
    ArmTimer();
  });
}

void SimAgent::Do(fleet::LinkAction& action) {
  const int board = boards_of_.at(action.board);
  if (std::holds_alternative<OpenLink>(action.action)) {
    const bool is_first = opened_.insert(action.board).second;
    if (is_first || world_.bug() != PlantedBug::kAgentForgetsALostBoard) {
      world_.Open(index_, board);
    }
  } else if (std::holds_alternative<CloseLink>(action.action)) {
    world_.Close(index_, board);
  } else {
    Message& message = std::get<SendMessage>(action.action).message;
    const v1::MeasureRequest& asked = message.envelope.measure_request();
    if (message.envelope.has_measure_request()) {
      sent_.try_emplace(asked.measure_id(), world_.now());
    }
    if (asked.network_sha256_size() == 1 && asked.network_sha256(0) == health_network_) {
      world_.oracle().OnDropped(asked.measure_id());
    }
    world_.ToBoard(index_, board, std::move(message));
  }
}

void SimAgent::Do(fleet::CutPower& action) {
  const int board = boards_of_.at(action.board);
  world_.oracle().OnPowerCut(index_, board, kMaxPowerCycles);
  world_.board(board).CyclePower();
  world_.After(milliseconds(1'000), [this, id = action.board, life = life_] {
    if (life == life_ && is_running()) Step(fleet::PowerCycled{id, Status()});
  });
}

void SimAgent::Do(fleet::Notice& action) {
  world_.Trace("agent " + std::to_string(index_) + ": " + action.text);
}

void SimAgent::Do(fleet::BoardChanged& action) {
  const int board = boards_of_.at(action.board);
  switch (action.state) {
    case fleet::BoardState::kDraining:
      world_.oracle().OnToldDrained(index_, board, true);
      if (world_.bug() != PlantedBug::kAgentCutsPowerOfDrainedBoards) return;
      return world_.After(milliseconds(8'000), [this, id = action.board, life = life_] {
        fleet::CutPower cut{id};
        if (life == life_ && is_running() && boards_of_.contains(id)) Do(cut);
      });
    case fleet::BoardState::kReady:
    case fleet::BoardState::kBusy:
    case fleet::BoardState::kResting:
    case fleet::BoardState::kHeld:
    case fleet::BoardState::kQuarantined:
    case fleet::BoardState::kChecking:
      return world_.oracle().OnToldDrained(index_, board, false);
    default:
      return;  // It may still be.
  }
}

void SimAgent::Do(fleet::BoardDescribed& action) {
  infos_[action.board] = action.info;
  has_news_of_boards_ = true;
}

void SimAgent::CheckNames() {
  if (!std::exchange(has_news_of_boards_, false)) return;
  for (const fleet::BoardReport& report : core_->Boards()) {
    const auto info = infos_.find(report.id);
    if (info == infos_.end()) continue;
    const int board = boards_of_.at(report.id);
    const std::string& tag = world_.scenario().boards[static_cast<std::size_t>(board)].tag;
    const auto like = study_.classes.find(tag);
    if (like == study_.classes.end()) continue;
    const bool is_alike = like->second.isa == info->second.isa &&
                          like->second.kernel_build == info->second.kernel_build;
    const bool is_named =
        report.left_out_of.contains(tag) || report.state == fleet::BoardState::kFailed;
    if (is_alike || is_named) continue;
    world_.oracle().Break("classes stay apart", "agent " + std::to_string(index_) +
                                                    " does not say that " + report.name +
                                                    " is unlike class '" + tag + "'");
  }
}

// ---- The study

int SimAgent::BoardOf(std::optional<fleet::BoardId> id) const {
  return id && boards_of_.contains(*id) ? boards_of_.at(*id) : -1;
}

void SimAgent::Do(fleet::AttemptEnded& action) {
  Submitted& submitted = submitted_.at(action.job);
  Oracle::Record record;
  record.agent = index_;
  record.job = submitted.job;
  record.attempt = action.attempt;
  const auto& input = study_.jobs.at(submitted.job).spec.request.input;
  record.job_id = std::get<MeasureInput>(input).measure_id;
  record.measure_id = action.measure_id;
  record.status = ToString(action.status);
  record.board = BoardOf(action.board);
  record.asked = submitted.since;
  // Nothing is stopped on a board before it was sent there.
  const auto sent = sent_.find(action.measure_id);
  if (action.status == MeasureStatus::kCancelled && sent != sent_.end()) {
    record.asked = std::max(record.asked, sent->second);
  }
  submitted.since = world_.now();
  record.is_end = world_.bug() == PlantedBug::kAgentGivesUpAtOnce;
  Commit(action.job, std::move(record), {});
}

Oracle::Record SimAgent::RecordOf(const fleet::JobEnded& action, const Submitted& submitted) const {
  const fleet::JobSpec& spec = study_.jobs.at(submitted.job).spec;
  Oracle::Record record;
  record.agent = index_;
  record.job = submitted.job;
  record.attempt = action.attempt;
  record.measure_id = action.measure_id;
  record.class_tag = spec.class_tag;
  record.is_end = action.result.status.ok();
  record.board = BoardOf(action.board);
  record.asked = submitted.since;
  for (const Artifact& network : spec.request.artifacts) record.networks.push_back(network.sha256);
  const Status& status = action.result.status;
  if (!status.ok()) {
    record.status = Oracle::kNoAnswer;
    record.is_boards_error = status.code() == StatusCode::kUnavailable ||
                             (!submitted.is_measurement && IsBoardsError(status.code()));
  }
  if (submitted.is_measurement) {
    record.job_id = std::get<MeasureInput>(spec.request.input).measure_id;
    const Measurement& measurement = action.result.measurement;
    if (!status.ok()) return record;
    record.status = ToString(measurement.status);
    for (const NetworkMeasurement& network : measurement.networks) {
      record.numbers.push_back(SimBoard::NumberOf(network.latency_median_ns));
    }
    return record;
  }
  if (status.ok()) record.status = "OK";
  for (const std::vector<float>& logits : action.result.logits) {
    record.images.push_back(SimBoard::NumberOfLogit(logits.front()));
  }
  // An inference has no id of its own.
  record.measure_id = "inference " + std::to_string(submitted.job) + " of " +
                      std::to_string(index_) + ", life " + std::to_string(life_) + ", " +
                      std::to_string(action.result.id);
  return record;
}

void SimAgent::Do(fleet::JobEnded& action) {
  const Submitted submitted = submitted_.at(action.result.id);
  if (action.result.status.code() == StatusCode::kAborted) return;  // the fleet was closed
  Oracle::Record record = RecordOf(action, submitted);
  if (PlayBugs(action.result.id, record, action.info)) return;
  Commit(action.result.id, std::move(record), action.info);
}

void SimAgent::Commit(JobId id, Oracle::Record record, const BoardInfo& info) {
  if (world_.bug() == PlantedBug::kAgentAcknowledgesEarly) {
    world_.After(milliseconds(0), [this, id, attempt = record.attempt, life = life_] {
      if (life == life_ && is_running()) Step(fleet::AttemptRecorded{id, attempt});
    });
  }
  const milliseconds durable = std::max(world_.now() + world_.random().Time(0, 60), frozen_until_);
  world_.At(durable, [this, id, record = std::move(record), info, life = life_] {
    if (life == life_ && is_running()) OnCommitted(id, record, info);
  });
}

void SimAgent::OnCommitted(JobId id, const Oracle::Record& record, const BoardInfo& info) {
  world_.oracle().OnRecorded(record);
  last_measure_id_ = record.measure_id;
  Study::Job& job = study_.jobs.at(record.job);
  const bool is_measurement = submitted_.at(id).is_measurement;
  if (is_measurement) job.attempts = std::max(job.attempts, record.attempt + 1);
  if (!record.numbers.empty()) study_.classes.try_emplace(record.class_tag, info);
  if (record.is_end && !job.has_ended) {
    job.has_ended = true;
    --num_open_;
  }
  const bool has_job_ended_in_core = record.is_end || record.class_tag != "";
  Step(fleet::AttemptRecorded{id, record.attempt});
  // No board could do it: a resumed search asks again.
  if (has_job_ended_in_core && !record.is_end) Submit(record.job);
  if (num_open_ == 0) Step(fleet::CloseRequested{});
}

std::string SimAgent::DescribeOpenJobs() const {
  std::string text;
  for (const auto& [number, job] : study_.jobs) {
    if (!job.has_ended) text += (text.empty() ? "job " : ", job ") + std::to_string(number);
  }
  if (text.empty()) text = "nothing, but its fleet is not closed";
  if (!is_running()) return text + "; it does not run";
  for (const fleet::BoardReport& board : core_->Boards()) {
    text += "; " + board.name + " is " + std::string(ToString(board.state)) +
            (board.why.empty() ? "" : " (" + board.why + ")");
  }
  return text;
}

}  // namespace bitpilot::simulation

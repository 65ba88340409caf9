#include "experiments/reliability/sim_agent.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

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
  world_.DropConnectionsOfAgent(index_);
  if (world_.bug() != PlantedBug::kAgentLosesItsLastRecord || last_measure_id_.empty()) return;
  world_.oracle().OnRecordLost(index_, last_measure_id_);
}

void SimAgent::Freeze(milliseconds time) { frozen_until_ = world_.now() + time; }

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
  submitted_[spec.request.id] = {number, std::holds_alternative<MeasureInput>(spec.request.input)};
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
  world_.oracle().OnQueue("agent " + std::to_string(index_), core_->num_jobs(),
                          world_.scenario().max_jobs);
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

// ---- The study

void SimAgent::Do(fleet::AttemptEnded& action) {
  const Submitted& submitted = submitted_.at(action.job);
  Oracle::Record record;
  record.agent = index_;
  record.job = submitted.job;
  record.attempt = action.attempt;
  record.measure_id = action.measure_id;
  Commit(action.job, std::move(record), /*counts_as_end=*/false);
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
  if (action.board)
    record.board = boards_of_.contains(*action.board) ? boards_of_.at(*action.board) : -1;
  if (record.board >= 0) {
    record.isa = world_.scenario().boards[static_cast<std::size_t>(record.board)].isa;
  }
  for (const Artifact& network : spec.request.artifacts) record.networks.push_back(network.sha256);
  const Measurement& measurement = action.result.measurement;
  if (submitted.is_measurement && action.result.status.ok() && HasNumbers(measurement.status)) {
    record.execution = SimBoard::ExecutionOf(measurement.networks.front().latency_median_ns);
  }
  if (!submitted.is_measurement) {
    // An inference has no id of its own.
    record.measure_id = "inference " + std::to_string(submitted.job) + " of " +
                        std::to_string(index_) + ", life " + std::to_string(life_) + ", " +
                        std::to_string(action.result.id);
  }
  return record;
}

void SimAgent::Do(fleet::JobEnded& action) {
  Submitted submitted = submitted_.at(action.result.id);
  if (action.result.status.code() == StatusCode::kAborted) return;  // the fleet was closed
  Oracle::Record record = RecordOf(action, submitted);
  if (world_.bug() == PlantedBug::kAgentMixesUpJobs && record.execution) {
    const auto next = std::next(study_.jobs.find(submitted.job));
    if (next != study_.jobs.end() && !next->second.has_ended) {
      record.job = next->first;
      record.networks.clear();
      for (const Artifact& network : next->second.spec.request.artifacts) {
        record.networks.push_back(network.sha256);
      }
    }
  }
  if (world_.bug() == PlantedBug::kAgentInventsNumbers && submitted.is_measurement &&
      !record.execution) {
    record.is_end = true;
    record.execution = 0;
  }
  if (world_.bug() == PlantedBug::kAgentRecordsTwice) {
    Commit(action.result.id, record, record.is_end);
  }
  const bool is_end = record.is_end;
  Commit(action.result.id, std::move(record), is_end);
}

void SimAgent::Commit(JobId id, Oracle::Record record, bool counts_as_end) {
  record.is_end = counts_as_end;
  if (world_.bug() == PlantedBug::kAgentAcknowledgesEarly) {
    world_.After(milliseconds(0), [this, id, attempt = record.attempt, life = life_] {
      if (life == life_ && is_running()) Step(fleet::AttemptRecorded{id, attempt});
    });
  }
  const milliseconds durable = std::max(world_.now() + world_.random().Time(0, 60), frozen_until_);
  world_.At(durable, [this, id, record = std::move(record), life = life_] {
    if (life == life_ && is_running()) OnCommitted(id, record);
  });
}

void SimAgent::OnCommitted(JobId id, const Oracle::Record& record) {
  world_.oracle().OnRecorded(record);
  last_measure_id_ = record.measure_id;
  Study::Job& job = study_.jobs.at(record.job);
  const bool is_measurement = submitted_.at(id).is_measurement;
  if (is_measurement) job.attempts = std::max(job.attempts, record.attempt + 1);
  if (record.execution) {
    for (const auto& [board, of] : boards_of_) {
      if (of == record.board && infos_.contains(board)) {
        study_.classes.try_emplace(record.class_tag, infos_.at(board));
      }
    }
  }
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

// DaemonCore's part that deals with jobs: inference and measurements.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "device_daemon/core/daemon_core.h"
#include "kernels/base/sha256.h"
#include "proto/phases.h"
#include "proto/validation.h"

namespace bitpilot::daemon {
namespace {

constexpr Milliseconds kMinMeasureLimit{60'000};
// The gate may hold a measurement for so long until the board is cool (state_gate.h).
constexpr Milliseconds kGateLimit{120'000};
constexpr std::size_t kMaxPhaseBytes = 64;

// What the latencies of a request usually take, all phases together.
Milliseconds LatencyDuration(const v1::MeasureRequest& request) {
  const auto of_a_network = [&] {
    switch (request.spec().tier()) {
      case v1::MeasureSpec::SCREEN:
        return Milliseconds{600};
      case v1::MeasureSpec::STANDARD:
        return Milliseconds{2'500};
      default:
        return Milliseconds{request.spec().extended() ? 11'000 : 1'500};
    }
  };
  const int longer = 1 << request.spec().window_doublings();
  return of_a_network() * longer * request.network_sha256_size();
}

Status CheckPresent(const MessageReceived& event) {
  if (event.missing_sha256.empty()) return {};
  return {StatusCode::kNotFound, "network " + BytesToHex(event.missing_sha256.front()) +
                                     " is not on this board; upload it first"};
}

constexpr auto kNotFoundCode = static_cast<std::uint32_t>(StatusCode::kNotFound);

// The worker says that the file of an InferRequest's network is gone or damaged.
bool IsDamage(const v1::Envelope& reply) {
  return reply.has_error() &&
         (reply.error().code() == kNotFoundCode ||
          reply.error().code() == static_cast<std::uint32_t>(StatusCode::kDataCorrupt));
}

StatusCode ToStatusCode(v1::MeasureStatus status) {
  switch (status) {
    case v1::TIMED_OUT:
      return StatusCode::kTimeout;
    case v1::CANCELLED:
      return StatusCode::kAborted;
    case v1::OUT_OF_MEMORY:
      return StatusCode::kResourceExhausted;
    default:
      return StatusCode::kInternal;
  }
}

}  // namespace

Milliseconds DaemonCore::TypicalDuration(const v1::MeasureRequest& request) const {
  const bool has_energy_phase = request.spec().energy() && config_.energy_duration;
  return LatencyDuration(request) +
         (has_energy_phase ? config_.energy_duration(request) : Milliseconds{0});
}

Milliseconds DaemonCore::LimitOf(const v1::Envelope& envelope) const {
  if (envelope.deadline_ms() != 0) {
    return std::min(Milliseconds{envelope.deadline_ms()}, kLongestJob);
  }
  if (!envelope.has_measure_request()) return kLongestJob;
  const Milliseconds typical = TypicalDuration(envelope.measure_request());
  return std::min(kGateLimit + std::max(3 * typical, kMinMeasureLimit), kLongestJob);
}

Milliseconds DaemonCore::RemainingOf(const Job& job) const {
  if (!job.is_measurement()) return Milliseconds{0};
  if (job.remaining.count() > 0) return job.remaining;
  return TypicalDuration(job.request.envelope.measure_request());
}

Job DaemonCore::MakeJob(const MessageReceived& event, std::string fingerprint) {
  const v1::Envelope& envelope = event.message.envelope;
  Job job;
  job.session_id = envelope.session_id();
  job.user_id = event.peer.user_id;
  job.request_id = envelope.request_id();
  job.request = event.message;
  job.fingerprint = std::move(fingerprint);
  job.limit = LimitOf(envelope);
  job.limit_is_asked_for = envelope.deadline_ms() != 0;
  const Lease& lease = *leases_.Find(envelope.session_id());
  job.holder = lease.holder.name;
  job.priority = lease.holder.priority;
  job.accepted = now_;
  job.size_bytes = event.message.envelope.ByteSizeLong() + event.message.raw.size();
  return job;
}

Status DaemonCore::Enqueue(Job job) {
  BITPILOT_RETURN_IF_ERROR(jobs_.CheckRoom(job));
  job.id = ++last_job_;
  job.arrival = ++last_arrival_;
  if (!jobs_.HasJobsOfUser(job.user_id)) share_.Arrive(job.user_id);
  jobs_.Enqueue(std::move(job));
  return {};
}

Status DaemonCore::StartInfer(const MessageReceived& event) {
  BITPILOT_RETURN_IF_ERROR(CheckPresent(event));
  return Enqueue(MakeJob(event, ""));
}

Status DaemonCore::StartMeasure(const MessageReceived& event) {
  const v1::MeasureRequest& request = event.message.envelope.measure_request();
  BITPILOT_RETURN_IF_ERROR(CheckPresent(event));
  BITPILOT_RETURN_IF_ERROR(Enqueue(MakeJob(event, FingerprintOf(request))));
  const std::uint64_t arrival = last_arrival_;
  Message reply;
  v1::MeasureAccepted& accepted = *reply.envelope.mutable_measure_accepted();
  accepted.set_measure_id(request.measure_id());
  Milliseconds eta = TypicalDuration(request);
  if (const Job* running = jobs_.running()) eta += RemainingOf(*running);
  for (const Turn& turn : TurnsInOrder()) {
    if (turn.waiter.arrival == arrival) break;
    eta += turn.takes;
  }
  accepted.set_eta_ms(static_cast<std::uint32_t>(std::min(eta, kLongestJob).count()));
  accepted.set_queue_position(QueuePosition(arrival));
  ReplyTo(event, std::move(reply));
  return {};
}

// Answers a measure_id that was seen before; false if it is new.
bool DaemonCore::AnswerKnownMeasurement(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  const std::string& measure_id = envelope.measure_request().measure_id();
  Job* job = jobs_.FindMeasurement(measure_id);
  const v1::KeptResult* finished = kept_.Find(measure_id);
  if (job == nullptr && finished == nullptr) return false;
  const std::string fingerprint = FingerprintOf(envelope.measure_request());
  const std::string& user_id = job != nullptr ? job->user_id : finished->user_id();
  const std::string& known = job != nullptr ? job->fingerprint : finished->fingerprint();
  Message reply;
  if (user_id != event.peer.user_id || known != fingerprint) {
    v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
    result.set_measure_id(measure_id);
    result.set_status(v1::REJECTED);
    result.set_detail("this measure_id names another request; choose a new one");
  } else if (job != nullptr) {
    job->session_id = envelope.session_id();
    job->request_id = envelope.request_id();
    v1::MeasureAccepted& accepted = *reply.envelope.mutable_measure_accepted();
    accepted.set_measure_id(measure_id);
    accepted.set_duplicate(true);
    accepted.set_eta_ms(static_cast<std::uint32_t>(RemainingOf(*job).count()));
    if (job != jobs_.running()) accepted.set_queue_position(QueuePosition(job->arrival));
  } else {
    *reply.envelope.mutable_measure_result() = finished->result();
    kept_.NoteAsked(measure_id, envelope.session_id());
  }
  ReplyTo(event, std::move(reply));
  return true;
}

// Answered by the measurement's result, whose status is CANCELLED unless it finished before.
Status DaemonCore::CancelMeasure(const MessageReceived& event) {
  const std::string& measure_id = event.message.envelope.measure_cancel().measure_id();
  const Job* job = jobs_.FindMeasurement(measure_id);
  if (job == nullptr || job->user_id != event.peer.user_id) {
    return {StatusCode::kNotFound, "no such measurement runs or waits"};
  }
  if (std::optional<Job> waiting = jobs_.RemoveWaitingMeasurement(measure_id)) {
    FinishWithStatus(*waiting, v1::CANCELLED, "cancelled by the agent");
  } else {
    StopRunning(v1::CANCELLED);
  }
  return {};
}

// An agent that gives up a measurement cancels and acknowledges it at once, and may be gone when it ends.
void DaemonCore::AcknowledgeResult(const std::string& measure_id, const std::string& user_id) {
  kept_.Forget(measure_id, user_id);
  Job* job = jobs_.FindMeasurement(measure_id);
  if (job != nullptr && job->user_id == user_id && job->stop_reason == v1::CANCELLED) {
    job->is_given_up = true;
  }
  AddLog("a result was acknowledged", "result_acknowledged",
         {{"measure_id", BytesToHex(measure_id)}}, /*is_detail=*/true);
}

void DaemonCore::StopRunning(v1::MeasureStatus reason) {
  Job* running = jobs_.running();
  if (running->stop_reason) return;
  running->stop_reason = reason;
  actions_.push_back(StopJob{running->id});
}

void DaemonCore::StopOverdueJob() {
  const Job* running = jobs_.running();
  if (running == nullptr || running->stop_reason) return;
  if (now_ >= running->started + running->limit ||
      now_ >= running->last_progress + running->silence) {
    StopRunning(v1::TIMED_OUT);
  }
}

Job DaemonCore::FinishRunning() {
  Job job = jobs_.FinishRunning();
  share_.Charge(job.user_id, now_ - job.started - job.turn_wait);
  return job;
}

void DaemonCore::On(const WorkerProgressed& event) {
  Job* running = jobs_.running();
  if (running == nullptr || running->id != event.job) return;
  if (event.waits_for_turn) {
    const Milliseconds waited = now_ - running->last_progress;
    running->turn_wait += waited;
    running->limit = std::min(running->limit + waited, kLongestJob);
    if (running->turn_wait >= kLongestTurnWait) StopRunning(v1::CANCELLED);
  }
  ++worker_progress_;
  running->last_progress = now_;
  running->silence = std::clamp(event.silence, kStallLimit, kLongestSilence);
  if (!running->is_measurement()) return;
  running->remaining = std::clamp(event.remaining, Milliseconds{0}, kLongestJob);
  if (!running->limit_is_asked_for && running->remaining.count() > 0) {
    const Milliseconds foretold = (now_ - running->started) + kGateLimit + 3 * running->remaining;
    running->limit = std::min(std::max(running->limit, foretold), kLongestJob);
  }
  Message message;
  v1::MeasureProgress& progress = *message.envelope.mutable_measure_progress();
  progress.set_measure_id(running->measure_id());
  const bool is_told =
      event.phase.size() <= kMaxPhaseBytes && (event.phase == kTurnPhase) == event.waits_for_turn;
  progress.set_phase(is_told ? event.phase : "running");
  progress.set_windows_done(event.windows_done);
  progress.set_remaining_ms(static_cast<std::uint64_t>(running->remaining.count()));
  progress.set_silence_ms(static_cast<std::uint64_t>(running->silence.count()));
  SendToSession(running->session_id, running->request_id, std::move(message));
}

void DaemonCore::On(const WorkerAnswered& event) {
  const Job* running = jobs_.running();
  if (running == nullptr || running->id != event.job) return;
  Job job = FinishRunning();
  if (job.is_revoked) return;
  const bool fits = FitsFrames(event.reply);
  const Status valid = ValidateReply(event.reply);
  Message answer = event.reply;
  v1::Envelope& reply = answer.envelope;
  if (fits && valid.ok()) DropDamaged(job, answer);
  if (fits && valid.ok() && job.is_measurement() && reply.has_measure_result() &&
      reply.measure_result().measure_id() == job.measure_id()) {
    FinishWithResult(job, reply.measure_result());
  } else if (fits && valid.ok() && !job.is_measurement() &&
             (reply.has_infer_result() || reply.has_error())) {
    // Whoever asked has the file, and uploads what the board does not know.
    if (IsDamage(reply)) reply.mutable_error()->set_code(kNotFoundCode);
    SendToSession(job.session_id, job.request_id, std::move(answer));
  } else {
    FinishWithStatus(job, v1::PROTOCOL_ERROR,
                     "the worker answered with " + std::string(BodyName(reply.body_case())) +
                         (valid.ok() ? "" : ": " + valid.message()));
  }
}

void DaemonCore::DropDamaged(const Job& job, Message& reply) {
  const auto drop = [this](const std::string& sha256) {
    AddLog("network " + BytesToHex(sha256) + " was damaged in the store; dropped",
           "artifact_damaged", {{"sha256", BytesToHex(sha256)}});
    actions_.push_back(DropArtifact{sha256});
  };
  const v1::Envelope& request = job.request.envelope;
  if (request.has_infer_request() && IsDamage(reply.envelope)) {
    drop(request.infer_request().network_sha256());
  }
  if (!reply.envelope.has_measure_result()) return;
  const auto& named = request.measure_request().network_sha256();
  auto& damaged = *reply.envelope.mutable_measure_result()->mutable_damaged_sha256();
  const auto others = std::remove_if(damaged.begin(), damaged.end(), [&](const std::string& one) {
    return std::find(named.begin(), named.end(), one) == named.end();
  });
  damaged.erase(others, damaged.end());
  for (const std::string& sha256 : damaged) drop(sha256);
}

void DaemonCore::On(const WorkerFailed& event) {
  const Job* running = jobs_.running();
  if (running == nullptr || running->id != event.job) return;
  const Job job = FinishRunning();
  if (job.is_revoked) return;
  const v1::MeasureStatus status = job.stop_reason.value_or(event.status);
  std::string detail = event.detail;
  if (status == v1::CANCELLED) {
    detail = job.turn_wait < kLongestTurnWait ? "cancelled while it ran"
                                              : "another daemon of this machine measured for " +
                                                    std::to_string(job.turn_wait.count()) +
                                                    " ms; ask again when it has finished";
  }
  if (status == v1::TIMED_OUT) {
    detail = now_ >= job.started + job.limit
                 ? "did not finish within " + std::to_string(job.limit.count()) + " ms"
                 : "the worker showed no sign of life for " + std::to_string(job.silence.count()) +
                       " ms";
  }
  FinishWithStatus(job, status, detail);
}

void DaemonCore::FinishWithStatus(const Job& job, v1::MeasureStatus status,
                                  const std::string& detail) {
  if (!job.is_measurement()) {
    Message reply;
    *reply.envelope.mutable_error() = ToProto({ToStatusCode(status), detail});
    return SendToSession(job.session_id, job.request_id, std::move(reply));
  }
  v1::MeasureResult result;
  result.set_measure_id(job.measure_id());
  result.set_status(status);
  result.set_detail(detail);
  FinishWithResult(job, std::move(result));
}

// Every result says where its numbers would come from and is kept until the agent acknowledges it;
// but a request that met a damaged file was not run, and will be when it comes again.
void DaemonCore::FinishWithResult(const Job& job, v1::MeasureResult result) {
  const std::string& backend = config_.capabilities.backend();
  result.set_source(backend.starts_with("model:") ? "MODEL:" + backend.substr(6) : "measured");
  ++finished_[result.status()];
  if (result.conditions().has_canary_ns()) {
    conditions_ = result.conditions();
    conditions_since_ = now_;
  }
  AddLog(v1::MeasureStatus_Name(result.status()) + ": a measurement of " + job.holder +
             (result.detail().empty() ? "" : ": " + result.detail()),
         "measurement_finished",
         {{"measure_id", BytesToHex(job.measure_id())},
          {"holder", job.holder},
          {"status", v1::MeasureStatus_Name(result.status())},
          {"duration_ms", std::to_string((now_ - job.started).count())},
          {"detail", result.detail()}},
         /*is_detail=*/true);
  SendResult(job.session_id, job.request_id, result);
  if (!result.damaged_sha256().empty() || job.is_given_up) return;
  v1::KeptResult kept;
  kept.set_user_id(job.user_id);
  kept.set_fingerprint(job.fingerprint);
  kept.set_measured_by(MeasurerOf(config_.capabilities));
  *kept.mutable_result() = std::move(result);
  kept_.Add(std::move(kept), job.session_id, now_);
}

}  // namespace bitpilot::daemon

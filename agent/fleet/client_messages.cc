// ClientCore's part that understands what the board says.
#include <algorithm>
#include <string>
#include <utility>

#include "agent/fleet/client_core.h"
#include "agent/fleet/wire_conversion.h"
#include "kernels/base/number_text.h"
#include "proto/phases.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinLeaseRetry{100};
constexpr milliseconds kMaxLeaseRetry{1000};
// Longer than a daemon waits for a silent worker, so that its own report comes first.
constexpr milliseconds kMinMeasureLimit{15'000};
constexpr milliseconds kReportMargin{5'000};
// What a daemon announces beyond this is not believed.
constexpr milliseconds kLongestJob{kMaxDeadlineMs};
constexpr milliseconds kBusyPause{200};
// A board that has a chunk so soon may be sent larger ones.
constexpr milliseconds kQuickChunk{500};
// Whoever waits for longer wants to know.
constexpr milliseconds kLongMeasurement{120'000};

milliseconds Announced(std::uint64_t announced_ms) {
  return milliseconds(std::min<std::uint64_t>(announced_ms, kMaxDeadlineMs));
}

// Jobs of other agents that go first may take longer than the daemon thought; it says so in time.
milliseconds MeasureLimit(const FleetJob& job) {
  const milliseconds least =
      job.queue_position() > 0 ? milliseconds(kQueueSilenceMs) + kReportMargin : kMinMeasureLimit;
  return std::clamp(3 * milliseconds(job.eta_ms()), least, kLongestJob);
}

}  // namespace

void ClientCore::Handle(MessageReceived& event) {
  if (phase_ == Phase::kEnded || phase_ == Phase::kNew) return;
  const v1::Envelope& envelope = event.message.envelope;
  unanswered_pings_ = 0;
  const Status validity = ValidateReply(event.message);
  if (envelope.body_case() == v1::Envelope::kMeasureResult) {
    return OnMeasureResult(event.message, validity);
  }
  if (!validity.ok()) return LoseSession("it sent an invalid message: " + validity.message());
  const bool answers_last = envelope.request_id() == last_request_id_;
  switch (envelope.body_case()) {
    case v1::Envelope::kHelloAck:
      if (phase_ == Phase::kGreeting && answers_last) OnHelloAck(envelope.hello_ack());
      return;
    case v1::Envelope::kLeaseGrant:
      if (phase_ == Phase::kLeasing && answers_last) OnLeaseGrant(envelope.lease_grant());
      return;
    case v1::Envelope::kLeaseDenied:
      if (phase_ == Phase::kLeasing && answers_last) OnLeaseDenied(envelope.lease_denied());
      return;
    case v1::Envelope::kLeaseReleased:
      if (phase_ == Phase::kClosing) End();
      return;
    case v1::Envelope::kMeasureProgress:
      return OnMeasureProgress(envelope.measure_progress());
    case v1::Envelope::kPong:
      return OnPong(envelope.pong());
    case v1::Envelope::kArtifactStatus:
    case v1::Envelope::kInferResult:
    case v1::Envelope::kMeasureAccepted:
      return OnReplyToJob(event.message);
    case v1::Envelope::kError:
      if (phase_ == Phase::kReady && envelope.request_id() != last_ping_id_) {
        return OnReplyToJob(event.message);
      }
      return OnErrorOfSession(envelope);
    default:
      return;
  }
}

void ClientCore::Handle(GarbageReceived& event) {
  if (event.status.code() == StatusCode::kVersionMismatch) {
    FailBoard(event.status.WithContext(BoardLabel()));
  } else {
    LoseSession("it sent something unreadable: " + event.status.message());
  }
}

void ClientCore::OnHelloAck(const v1::HelloAck& ack) {
  if (ack.protocol_major() != kProtocolMajor) {
    return FailBoard(Status(StatusCode::kVersionMismatch,
                            BoardLabel() + " speaks protocol version " +
                                std::to_string(ack.protocol_major()) + ", this agent " +
                                std::to_string(kProtocolMajor) + ": install matching builds"));
  }
  if (ack.max_frame_bytes() < kChunkBytes) {
    return FailBoard(Unsupported(BoardLabel() + " takes frames of at most " +
                                 std::to_string(ack.max_frame_bytes()) + " bytes, expected " +
                                 std::to_string(kChunkBytes) + " or more"));
  }
  BoardInfo info = ToBoardInfo(ack.capabilities());
  if (ack.has_limits()) {
    info.limits.max_networks = static_cast<int>(
        std::min<std::uint32_t>(ack.limits().max_networks(), kMaxNetworksPerMeasure));
    info.limits.store_bytes = ack.limits().store_bytes();
    info.limits.worker_memory_bytes = ack.limits().worker_memory_bytes();
  }
  if (info_.has_value()) {
    const std::string difference = FingerprintDifference(*info_, info);
    if (!difference.empty()) {
      return FailBoard(Status(StatusCode::kVersionMismatch,
                              BoardLabel() + " came back as another board: " + difference +
                                  "; its measurements cannot be mixed with the earlier ones"));
    }
  }
  info_ = std::move(info);
  session_id_ = ack.session_id();
  limits_.max_raw_bytes = std::min<std::uint64_t>(ack.max_frame_bytes(), kMaxRawBytes);
  limits_.takes_raw_pixels = ack.protocol_minor() >= 1;
  limits_.takes_longer_windows = ack.protocol_minor() >= 2;
  limits_.takes_kernel_choices = ack.protocol_minor() >= 3;
  limits_.store_bytes = ack.limits().store_bytes();
  knows_lease_kinds_ = ack.protocol_minor() >= 3;
  if (!limits_.takes_longer_windows && !windows_noticed_) {
    windows_noticed_ = true;
    actions_.emplace_back(BoardNotice{
        BoardLabel() + " runs an older bitpilotd: what is noisy is measured again, but in "
                       "windows no longer than before; update it",
        "run an older bitpilotd"});
  }
  AskForLease();
}

void ClientCore::OnLeaseDenied(const v1::LeaseDenied& denied) {
  const auto because = [&](const std::string& text) {
    return text + (denied.detail().empty() ? "" : ": " + denied.detail());
  };
  switch (denied.reason()) {
    case v1::LeaseDenied::UNAUTHORISED:
      return FailBoard(
          Status(StatusCode::kPermissionDenied,
                 because(BoardLabel() + " does not lease itself to this agent's key") +
                     ": its line in the board's authorized_agents must say agent or admin"));
    case v1::LeaseDenied::HELD:
      absence_ = Absence::kHeldByOther;
      last_loss_ = denied.holder();
      queue_position_ = denied.queue_position();
      break;
    case v1::LeaseDenied::DRAINING:
      absence_ = Absence::kDrained;
      last_loss_ = denied.detail();
      break;
    default:
      absence_ = Absence::kRefused;
      last_loss_ = because("reason " + std::to_string(static_cast<int>(denied.reason())));
      break;
  }
  if (!was_ready_ && options_.lease_wait.count() == 0) return FailBoard(AwayStatus());
  actions_.emplace_back(BoardAway{WhyAway(), absence_});
  EnterPhase(Phase::kHeld,
             std::clamp(milliseconds(denied.retry_after_ms()), kMinLeaseRetry, kMaxLeaseRetry));
}

void ClientCore::OnMeasureResult(const Message& message, const Status& validity) {
  const std::string& measure_id = message.envelope.measure_result().measure_id();
  if (phase_ != Phase::kReady || measure_id.size() != kMeasureIdBytes) return;
  // One that came twice is acknowledged when it is recorded.
  if (unrecorded_.contains(measure_id)) return;
  if (jobs_.empty() || jobs_.front().measure_id() != measure_id) {
    Owe(recorded_, measure_id);  // nobody wants it
    return;
  }
  if (validity.ok()) {
    jobs_.front().OnReply(message);
  } else {
    jobs_.front().OnInvalidResult(validity);
  }
  awaited_request_id_ = 0;  // a job that goes on begins with another request
  FinishJobIfDone();
}

// A slow measurement that advances is not a lost one.
void ClientCore::OnMeasureProgress(const v1::MeasureProgress& progress) {
  if (phase_ != Phase::kReady || jobs_.empty()) return;
  const FleetJob& job = jobs_.front();
  if (!job.measuring() || job.measure_id() != progress.measure_id()) return;
  if (progress.phase() == kQueuePhase) {
    NoticeQueue(progress.queue_position());
    if (progress.queue_position() == 0) NoticeReservation("another agent");
  }
  if (progress.phase() == kTurnPhase && !turn_noticed_) {
    turn_noticed_ = true;
    actions_.emplace_back(
        BoardNotice{BoardLabel() + " waits for its turn: " + kTurnPhase, "wait for their turn"});
  }
  const milliseconds silence = Announced(progress.silence_ms()) + kReportMargin;
  reply_deadline_ = std::max(reply_deadline_, now_ + std::max(kMinMeasureLimit, silence));
  const milliseconds remaining = Announced(progress.remaining_ms());
  if (eta_noticed_ || remaining < kLongMeasurement) return;
  eta_noticed_ = true;
  actions_.emplace_back(
      BoardNotice{BoardLabel() + " is measuring slow networks: this takes up to " +
                  std::to_string((remaining.count() + 59'999) / 60'000) + " min more"});
}

void ClientCore::NoticeQueue(std::uint32_t position) {
  if (position == 0 || queue_noticed_) return;
  queue_noticed_ = true;
  actions_.emplace_back(BoardNotice{
      BoardLabel() + " works for other agents: " + Counted(position, "job") + " before this one",
      "have other agents' jobs before this one's"});
}

void ClientCore::NoticeReservation(const std::string& by) {
  if (by.empty() || reservation_noticed_) return;
  reservation_noticed_ = true;
  actions_.emplace_back(BoardNotice{
      BoardLabel() + " is reserved by " + by + ": jobs wait until that one gives it back",
      "are reserved by other agents"});
}

// The daemon itself ends an inference that hangs, and begins one that waits for other agents.
void ClientCore::OnPong(const v1::Pong& pong) {
  if (awaited_request_id_ == 0 || jobs_.empty() || !jobs_.front().inferring()) return;
  if (pong.state() == "INFERRING" || pong.state() == "QUEUED") {
    reply_deadline_ = std::max(reply_deadline_, now_ + kMinMeasureLimit);
  }
}

void ClientCore::OnReplyToJob(const Message& message) {
  if (awaited_request_id_ == 0 || message.envelope.request_id() != awaited_request_id_) return;
  awaited_request_id_ = 0;
  FleetJob& job = jobs_.front();
  if (job.uploading() && now_ - asked_at_ < kQuickChunk) {
    limits_.chunk_bytes = std::min(2 * limits_.chunk_bytes, kChunkBytes);
  }
  switch (job.OnReply(message)) {
    case FleetJob::Next::kWait:
      reply_deadline_ = now_ + MeasureLimit(job);
      NoticeQueue(job.queue_position());
      break;
    case FleetJob::Next::kRetry:
      resume_at_ = now_ + kBusyPause;
      break;
    case FleetJob::Next::kLost:
      LoseSession(message.envelope.has_error() ? message.envelope.error().detail()
                                               : "its answer does not fit the request");
      break;
    case FleetJob::Next::kSend:
    case FleetJob::Next::kFinished:
      break;
  }
  FinishJobIfDone();
}

// An error that answers Hello, LeaseRequest or Ping (or bytes that the daemon could not read: id
// 0).
void ClientCore::OnErrorOfSession(const v1::Envelope& envelope) {
  const Status error = FromProto(envelope.error());
  const bool ours = envelope.request_id() == 0 || envelope.request_id() == last_request_id_ ||
                    envelope.request_id() == last_ping_id_;
  if (!ours) return;
  // The board restarted while we were away.
  if (phase_ == Phase::kLeasing && error.code() == StatusCode::kNotFound) return SayHello();
  const bool final = error.code() == StatusCode::kVersionMismatch ||
                     error.code() == StatusCode::kPermissionDenied ||
                     error.code() == StatusCode::kInvalidArgument;
  if (final && phase_ != Phase::kReady) {
    FailBoard(error.WithContext(BoardLabel()));
  } else {
    LoseSession(error.message());
  }
}

}  // namespace bitpilot

#include "device_daemon/core/job_ledger.h"

#include <algorithm>
#include <utility>

#include "kernels/base/sha256.h"

namespace bitpilot::daemon {
namespace {

// Length first, so that no two lists of fields give the same bytes.
void AddField(Sha256& hash, std::string_view bytes) {
  const std::uint64_t size = bytes.size();
  hash.Update(&size, sizeof size);
  hash.Update(bytes);
}

}  // namespace

Job* JobLedger::FindMeasurement(const std::string& measure_id) {
  if (running_ && !running_->is_revoked && running_->is_measurement() &&
      running_->measure_id() == measure_id) {
    return &*running_;
  }
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Job& job) {
    return job.is_measurement() && job.measure_id() == measure_id;
  });
  return found == waiting_.end() ? nullptr : &*found;
}

Status JobLedger::CheckRoom(const Job& job) const {
  std::size_t of_this_kind = 0;
  std::size_t size_bytes = job.size_bytes;
  for (const Job& other : waiting_) {
    size_bytes += other.size_bytes;
    const bool is_same_kind = other.is_measurement() == job.is_measurement();
    if (is_same_kind && other.session_id == job.session_id) ++of_this_kind;
  }
  if (job.is_measurement() && of_this_kind >= 1) {
    return {StatusCode::kUnavailable,
            "a measurement waits already; ask again when the running one has finished"};
  }
  if (of_this_kind >= kMaxWaitingInfers) {
    return {StatusCode::kUnavailable, "too many inference requests wait; ask again later"};
  }
  if (size_bytes <= kMaxWaitingBytes || waiting_.empty()) return {};
  return {
      StatusCode::kUnavailable,
      "the jobs that wait for this board take all memory that it has for them; ask again later"};
}

void JobLedger::Enqueue(Job job) { waiting_.push_back(std::move(job)); }

Job& JobLedger::Start(JobId id, Milliseconds now, Milliseconds silence) {
  BITPILOT_CHECK(!running_);
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const Job& job) { return job.id == id; });
  BITPILOT_CHECK(found != waiting_.end());
  running_ = std::move(*found);
  waiting_.erase(found);
  running_->started = now;
  running_->last_progress = now;
  running_->silence = silence;
  return *running_;
}

Job JobLedger::FinishRunning() {
  BITPILOT_CHECK(running_.has_value());
  Job job = std::move(*running_);
  running_.reset();
  return job;
}

std::deque<Job> JobLedger::RemoveWaiting(const std::string& session_id) {
  std::deque<Job> removed;
  std::deque<Job> kept;
  for (Job& job : waiting_) {
    (job.session_id == session_id ? removed : kept).push_back(std::move(job));
  }
  waiting_ = std::move(kept);
  return removed;
}

void JobLedger::KeepUsers(const std::set<std::string>& user_ids) {
  std::erase_if(waiting_, [&](const Job& job) { return !user_ids.contains(job.user_id); });
}

bool JobLedger::HasJobsOf(const std::string& session_id) const {
  return (running_ && running_->session_id == session_id) ||
         std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const Job& job) { return job.session_id == session_id; });
}

bool JobLedger::HasJobsOfUser(const std::string& user_id) const {
  return (running_ && running_->user_id == user_id) ||
         std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const Job& job) { return job.user_id == user_id; });
}

std::optional<Job> JobLedger::RemoveWaitingMeasurement(const std::string& measure_id) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Job& job) {
    return job.is_measurement() && job.measure_id() == measure_id;
  });
  if (found == waiting_.end()) return std::nullopt;
  Job job = std::move(*found);
  waiting_.erase(found);
  return job;
}

bool JobLedger::Names(std::string_view sha256) const {
  const auto names = [&](const Job& job) {
    const v1::Envelope& envelope = job.request.envelope;
    if (envelope.has_infer_request()) return envelope.infer_request().network_sha256() == sha256;
    const auto& networks = envelope.measure_request().network_sha256();
    return std::find(networks.begin(), networks.end(), sha256) != networks.end();
  };
  return (running_ && names(*running_)) || std::any_of(waiting_.begin(), waiting_.end(), names);
}

std::string FingerprintOf(const v1::MeasureRequest& request) {
  Sha256 hash;
  AddField(hash, std::to_string(request.network_sha256_size()));
  for (const std::string& sha256 : request.network_sha256()) AddField(hash, sha256);
  for (const std::string& logits : request.golden_logits()) AddField(hash, logits);
  AddField(hash, request.golden_pixels());
  AddField(hash, std::to_string(request.golden_outputs_size()));
  for (const v1::NamedOutputs& outputs : request.golden_outputs()) {
    AddField(hash, std::to_string(outputs.outputs_size()));
    for (const v1::NamedOutput& output : outputs.outputs()) {
      AddField(hash, output.name());
      AddField(hash, std::to_string(output.num_values()));
    }
  }
  AddField(hash, std::to_string(static_cast<int>(request.spec().tier())));
  AddField(hash, request.spec().per_operation() ? "operations" : "");
  AddField(hash, request.spec().extended() ? "extended" : "");
  AddField(hash, request.spec().energy() ? "energy" : "");
  AddField(hash, std::to_string(request.spec().window_doublings()));
  return ToHex(hash.Finish());
}

}  // namespace bitpilot::daemon

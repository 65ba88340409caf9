#include "tests/agent/memory_event_store.h"

#include <algorithm>
#include <utility>

#include "agent/study/event_chain.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

class MemorySnapshot final : public EventSnapshot {
 public:
  explicit MemorySnapshot(const MemoryLog& log) : log_(log) {}

  Status ReadFrom(std::int64_t first_seq, const ReadOptions& options,
                  const std::function<Status(StoredEvent)>& visit) const override {
    std::int64_t left = options.max_events;
    for (StoredEvent event : log_.events) {
      if (event.chained.event.seq < first_seq) continue;
      if (left-- <= 0) break;
      if (!options.with_blobs) event.blobs.clear();
      BITPILOT_RETURN_IF_ERROR(visit(std::move(event)));
    }
    return log_.read_failure;
  }
  Result<RecordedEnd> End() const override {
    const StoredEvent& last = log_.events.back();
    return RecordedEnd{{last.chained.event.seq, last.sha256}, RunsSha256(log_.runs)};
  }
  Result<std::vector<Run>> Runs() const override { return log_.runs; }
  Result<std::optional<LogProblem>> FindAlteration() const override {
    return std::optional<LogProblem>();
  }
  Result<std::optional<std::string>> FindDamage() const override {
    return std::optional<std::string>();
  }

 private:
  MemoryLog log_;  // as it was
};

LogHead HeadOf(const MemoryLog& log) {
  if (log.events.empty()) return LogHead();
  return {log.events.back().chained.event.seq, log.events.back().sha256};
}

}  // namespace

MemoryEventStore::~MemoryEventStore() {
  if (is_writing()) static_cast<void>(MemoryEventStore::End("failed"));
  if (claim_ != 0 && log_->claim == claim_) log_->claim = 0;
}

Result<std::unique_ptr<EventSnapshot>> MemoryEventStore::Snapshot() const {
  if (!log_->exists) return Status(StatusCode::kNotFound, name_ + ": no such study");
  return std::unique_ptr<EventSnapshot>(std::make_unique<MemorySnapshot>(*log_));
}

Status MemoryEventStore::Claim() {
  BITPILOT_CHECK(claim_ == 0);
  const bool is_silent = log_->now_ns - log_->last_beat_ns >= MemoryLog::kSilenceNs;
  if (log_->claim != 0 && !is_silent) {
    return Status(StatusCode::kUnavailable,
                  name_ + ": is being written by claim " + std::to_string(log_->claim));
  }
  log_->claim = claim_ = ++log_->num_claims;
  log_->last_beat_ns = log_->now_ns;
  return Status();
}

void MemoryEventStore::AddRun() {
  Run run;
  run.run_id = static_cast<std::int64_t>(log_->runs.size()) + 1;
  run.host = "memory";
  run.pid = claim_;
  run.started_utc_ns = log_->now_ns;
  log_->runs.push_back(run);
  run_id_ = run.run_id;
  lost_ = false;
}

Status MemoryEventStore::BeginLog(const NewEvent& first) {
  BITPILOT_CHECK(claim_ != 0 && !is_writing());
  if (log_->exists) return InvalidArgument(name_ + ": exists");
  log_->exists = true;
  AddRun();
  return Append(std::span(&first, 1));
}

Status MemoryEventStore::BeginRun() {
  BITPILOT_CHECK(claim_ != 0 && !is_writing());
  if (!log_->exists) return Status(StatusCode::kNotFound, name_ + ": no such study");
  AddRun();
  return Status();
}

Status MemoryEventStore::Append(std::span<const NewEvent> events) {
  BITPILOT_RETURN_IF_ERROR(Heartbeat());
  for (const NewEvent& event : events) {
    log_->events.push_back(ChainNext(HeadOf(*log_), *run_id_, log_->now_ns++, event));
  }
  return Status();
}

Status MemoryEventStore::Heartbeat() {
  if (!is_writing() && !lost_) {
    return InvalidArgument(name_ + ": is open for reading only, or closed");
  }
  if (log_->claim != claim_ || lost_) {
    run_id_.reset();
    claim_ = 0;
    lost_ = true;
    return Status(StatusCode::kAborted, name_ + ": another process claimed it");
  }
  log_->last_beat_ns = log_->now_ns;
  return Status();
}

Status MemoryEventStore::End(const std::string& exit_reason) {
  BITPILOT_RETURN_IF_ERROR(Heartbeat());
  Run& run = log_->runs.at(static_cast<std::size_t>(*run_id_ - 1));
  run.ended_utc_ns = log_->now_ns;
  run.exit_reason = exit_reason;
  log_->claim = 0;
  run_id_.reset();
  claim_ = 0;
  return Status();
}

void MemoryEventStore::Die() {
  run_id_.reset();
  claim_ = 0;
}

}  // namespace bitpilot

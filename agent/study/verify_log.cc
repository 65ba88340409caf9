#include <nlohmann/json.hpp>

#include <string>
#include <utility>

#include "agent/study/event_chain.h"
#include "agent/study/events.h"
#include "agent/study/measurement_blob.h"
#include "agent/study/sqlite/sqlite_event_store.h"
#include "agent/study/study.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

using Finding = std::optional<LogProblem>;

Finding CheckMeasurement(const StoredEvent& stored) {
  const Event& event = stored.chained.event;
  if (stored.blobs.empty()) return LogProblem{event.seq, "its measurement is missing"};
  const Result<MeasurementEvent> chained = ParseEvent<MeasurementEvent>(event.payload);
  const Result<MeasurementRow> row = ParseMeasurementBlob(stored.blobs.front());
  if (chained.ok() && row.ok() && stored.blobs.size() == 1 &&
      chained->measurement_id == row->measurement_id &&
      chained->row_sha256 == Sha256Hex(stored.blobs.front())) {
    return std::nullopt;
  }
  const std::string name = row.ok()       ? row->measurement_id
                           : chained.ok() ? chained->measurement_id
                                          : std::string();
  return LogProblem{event.seq, "measurement " + name + " was altered"};
}

// Goes through the log, event by event, up to the first bad one.
class ChainCheck {
 public:
  // False when one was found.
  bool Add(const StoredEvent& stored) {
    if (finding_) return false;
    finding_ = CheckEvent(stored);
    if (finding_) return false;
    last_ = {stored.chained.event.seq, stored.sha256};
    return true;
  }
  const Finding& finding() const { return finding_; }
  const LogHead& last() const { return last_; }

 private:
  Finding CheckEvent(const StoredEvent& stored) const {
    const Event& event = stored.chained.event;
    const std::int64_t expected_seq = last_.seq + 1;
    if (event.seq != expected_seq) {
      return LogProblem{expected_seq, "is missing; the next event is " + std::to_string(event.seq)};
    }
    if (EventSha256(stored.chained) != stored.sha256) {
      return LogProblem{event.seq, "kind, payload, run, time or hash was altered"};
    }
    if (stored.chained.prev_sha256 != (last_.seq == 0 ? kNoPreviousSha256 : last_.sha256)) {
      return LogProblem{event.seq, "does not follow the event before it"};
    }
    if (event.seq == 1 && event.kind != "config") return LogProblem{1, "is no configuration"};
    if (event.kind == MeasurementEvent::kKind) return CheckMeasurement(stored);
    return std::nullopt;
  }

  LogHead last_;  // of the events so far
  Finding finding_;
};

Finding CheckHead(const LogHead& last, const LogHead& recorded) {
  const std::string end = "the recorded end of the log is event " + std::to_string(recorded.seq);
  if (last.seq < recorded.seq) return LogProblem{last.seq + 1, "is missing; " + end};
  if (last.seq > recorded.seq) return LogProblem{recorded.seq + 1, "was added; " + end};
  if (last.seq == 0) return LogProblem{1, "is missing; the log is empty"};
  if (last.sha256 != recorded.sha256) {
    return LogProblem{last.seq, "is not the one whose hash is the recorded end of the log"};
  }
  return std::nullopt;
}

// What the hashes prove.
Result<Finding> CheckLog(const EventSnapshot& log) {
  const Result<std::vector<Run>> runs = log.Runs();
  if (!runs.ok()) return runs.status();
  const Result<RecordedEnd> end = log.End();
  if (!end.ok()) return end.status();
  ChainCheck chain;
  const ReadOptions whole{.with_blobs = true};
  const Status read = log.ReadFrom(1, whole, [&](const StoredEvent& event) {
    return chain.Add(event) ? Status() : Status(StatusCode::kAborted, "");
  });
  if (chain.finding()) return chain.finding();
  if (read.code() == StatusCode::kDataCorrupt) {
    return Finding({chain.last().seq + 1, "cannot be read: " + read.message()});
  }
  if (!read.ok()) return read;
  if (Finding problem = CheckHead(chain.last(), end->head)) return problem;
  if (RunsSha256(*runs) == end->runs_sha256) return Finding();
  return Finding({0, "table run was altered"});
}

// Everything in one state of the log, so that a running search does not disturb.
Result<Finding> CheckAll(const EventSnapshot& log) {
  Result<Finding> proved = CheckLog(log);
  Result<Finding> kept = log.FindAlteration();
  const auto found = [](const Result<Finding>& finding) { return finding.ok() && *finding; };
  if (found(proved) && found(kept)) {
    // The first event that either names.
    const bool kept_is_first =
        (*kept)->seq > 0 && ((*proved)->seq == 0 || (*kept)->seq < (*proved)->seq);
    return kept_is_first ? kept : proved;
  }
  if (found(proved)) return proved;
  if (found(kept) || !kept.ok()) return kept;
  if (!proved.ok()) return proved;
  const Result<std::optional<std::string>> damage = log.FindDamage();
  if (!damage.ok()) return damage.status();
  if (*damage) return Finding({0, "the file is damaged: " + **damage});
  return Finding();
}

}  // namespace

Result<std::optional<LogProblem>> VerifyLog(const EventStore& store) {
  const Result<std::unique_ptr<EventSnapshot>> log = store.Snapshot();
  if (!log.ok()) return log.status();
  Result<Finding> finding = CheckAll(**log);
  // A study that opens but cannot be read is damaged inside: where, the store cannot say.
  if (!finding.ok() && finding.status().code() == StatusCode::kDataCorrupt) {
    return Finding({0, finding.status().message()});
  }
  return finding;
}

Result<std::optional<LogProblem>> VerifyLog(const std::string& path, const StudyWait& wait) {
  return VerifyLog(*MakeSqliteEventStore(path, wait));
}

}  // namespace bitpilot

#include "agent/study/study.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "agent/study/event_chain.h"
#include "agent/study/events.h"
#include "agent/study/log_index.h"
#include "agent/study/measurement_blob.h"
#include "agent/study/measurement_rows.h"
#include "agent/study/measurement_rules.h"
#include "agent/study/sqlite/sqlite_event_store.h"

namespace bitpilot {
namespace {

constexpr std::string_view kConfigKind = "config";

class StoredStudy final : public Study {
 public:
  explicit StoredStudy(std::unique_ptr<EventStore> store) : store_(std::move(store)) {}

  const std::string& path() const override { return store_->name(); }
  std::string config_json() const override {
    const Result<StoredEvent> first = FirstEvent();
    return first.ok() ? first->chained.event.payload : std::string();
  }
  Result<std::string> Id() const override {
    Result<StoredEvent> first = FirstEvent();
    if (!first.ok()) return first.status();
    return std::move(first->sha256);
  }

  Status Append(const std::string& kind, const std::string& payload_json) override;
  Status AppendMeasurements(std::span<const MeasurementRow> rows) override;
  Result<std::vector<Event>> Events() const override;
  Result<std::optional<MeasurementRow>> FindMeasurement(
      const std::string& measurement_id) const override;
  Result<std::vector<MeasurementRow>> Measurements() const override;
  Status PutArtifact(const std::string& sha256, const std::string& kind,
                     const std::string& file) override;
  Result<LogHead> Head() const override;
  Result<std::vector<Run>> Runs() const override;
  Result<std::string> ContentHash() const override;
  Status Heartbeat() override { return store_->Heartbeat(); }
  Status Close(const std::string& exit_reason) override { return store_->End(exit_reason); }

 private:
  // Fails as the store does for one that does not write.
  Status CheckWritable() const { return store_->is_writing() ? Status() : store_->Heartbeat(); }
  // Event 1; without kind, payload and hash if the log holds none.
  Result<StoredEvent> FirstEvent() const;
  // The index of the log as it is now.
  Result<const LogIndex*> Index() const;

  std::unique_ptr<EventStore> store_;
  mutable LogIndex index_;
};

// The row in the blob of an event of kind "measurement".
Result<MeasurementRow> RowOf(const StoredEvent& event, const std::string& path) {
  Result<MeasurementRow> row = event.blobs.size() == 1 ? ParseMeasurementBlob(event.blobs.front())
                                                       : DataCorrupt("its measurement is missing");
  if (row.ok()) return row;
  return row.status().WithContext(path + ": seq " + std::to_string(event.chained.event.seq));
}

Result<StoredEvent> StoredStudy::FirstEvent() const {
  const Result<std::unique_ptr<EventSnapshot>> log = store_->Snapshot();
  if (!log.ok()) return log.status();
  StoredEvent first;
  ReadOptions one;
  one.max_events = 1;
  BITPILOT_RETURN_IF_ERROR((*log)->ReadFrom(1, one, [&](StoredEvent event) {
    if (event.chained.event.seq == 1) first = std::move(event);
    return Status();
  }));
  return first;
}

Result<const LogIndex*> StoredStudy::Index() const {
  const Result<std::unique_ptr<EventSnapshot>> log = store_->Snapshot();
  if (!log.ok()) return log.status();
  BITPILOT_RETURN_IF_ERROR(index_.Update(**log).WithContext(path()));
  return &index_;
}

Status StoredStudy::Append(const std::string& kind, const std::string& payload_json) {
  if (kind == kConfigKind || kind == MeasurementEvent::kKind || kind == ArtifactEvent::kKind ||
      kind.empty()) {
    return InvalidArgument("event kind \"" + kind + "\" is written by the study itself");
  }
  if (!nlohmann::json::accept(payload_json)) {
    return InvalidArgument("event " + kind + ": expected a JSON payload, got \"" + payload_json +
                           "\"");
  }
  const NewEvent event{kind, payload_json, {}};
  return store_->Append(std::span(&event, 1));
}

Status StoredStudy::AppendMeasurements(std::span<const MeasurementRow> rows) {
  BITPILOT_RETURN_IF_ERROR(CheckWritable());
  const Result<const LogIndex*> index = Index();
  if (!index.ok()) return index.status();
  std::set<std::string> ids;
  std::vector<NewEvent> events;
  for (const MeasurementRow& row : rows) {
    BITPILOT_RETURN_IF_ERROR(ValidateMeasurement(row));
    if (!ids.insert(row.measurement_id).second || (*index)->FindMeasurement(row.measurement_id)) {
      return InvalidArgument("measurement " + row.measurement_id + " is already in " + path());
    }
    const MeasurementEvent event = MeasurementEventOf(row);
    if ((*index)->HasRequest(event.measure_id)) {
      return InvalidArgument("measurement " + row.measurement_id + ": what its board answered to " +
                             "request " + event.measure_id + " is already in " + path());
    }
    events.push_back({std::string(MeasurementEvent::kKind), ToJson(event), {MeasurementBlob(row)}});
  }
  return store_->Append(events);
}

Result<std::vector<Event>> StoredStudy::Events() const {
  const Result<std::unique_ptr<EventSnapshot>> log = store_->Snapshot();
  if (!log.ok()) return log.status();
  std::vector<Event> events;
  BITPILOT_RETURN_IF_ERROR((*log)->ReadFrom(1, {}, [&](StoredEvent event) {
    events.push_back(std::move(event.chained.event));
    return Status();
  }));
  return events;
}

Result<std::optional<MeasurementRow>> StoredStudy::FindMeasurement(
    const std::string& measurement_id) const {
  // What was found once stays where it is.
  std::optional<std::int64_t> seq = index_.FindMeasurement(measurement_id);
  if (!seq) {
    const Result<const LogIndex*> index = Index();
    if (!index.ok()) return index.status();
    seq = (*index)->FindMeasurement(measurement_id);
  }
  std::optional<MeasurementRow> found;
  if (!seq) return found;
  const Result<std::unique_ptr<EventSnapshot>> log = store_->Snapshot();
  if (!log.ok()) return log.status();
  const ReadOptions one{.max_events = 1, .with_blobs = true};
  BITPILOT_RETURN_IF_ERROR((*log)->ReadFrom(*seq, one, [&](const StoredEvent& event) -> Status {
    Result<MeasurementRow> row = RowOf(event, path());
    if (!row.ok()) return row.status();
    found = std::move(*row);
    return Status();
  }));
  return found;
}

Result<std::vector<MeasurementRow>> StoredStudy::Measurements() const {
  const Result<std::unique_ptr<EventSnapshot>> log = store_->Snapshot();
  if (!log.ok()) return log.status();
  std::vector<MeasurementRow> rows;
  const ReadOptions all{.with_blobs = true};
  BITPILOT_RETURN_IF_ERROR((*log)->ReadFrom(1, all, [&](const StoredEvent& event) -> Status {
    if (event.chained.event.kind != MeasurementEvent::kKind) return Status();
    Result<MeasurementRow> row = RowOf(event, path());
    if (!row.ok()) return row.status();
    rows.push_back(std::move(*row));
    return Status();
  }));
  return rows;
}

Status StoredStudy::PutArtifact(const std::string& sha256, const std::string& kind,
                                const std::string& file) {
  BITPILOT_RETURN_IF_ERROR(CheckWritable());
  const Result<const LogIndex*> index = Index();
  if (!index.ok()) return index.status();
  if ((*index)->HasArtifact(sha256, file)) return Status();
  const NewEvent event{
      std::string(ArtifactEvent::kKind), ToJson(ArtifactEvent{sha256, kind, file}), {}};
  return store_->Append(std::span(&event, 1));
}

Result<LogHead> StoredStudy::Head() const {
  const Result<std::unique_ptr<EventSnapshot>> log = store_->Snapshot();
  if (!log.ok()) return log.status();
  Result<RecordedEnd> end = (*log)->End();
  if (!end.ok()) return end.status();
  return std::move(end->head);
}

Result<std::vector<Run>> StoredStudy::Runs() const {
  const Result<std::unique_ptr<EventSnapshot>> log = store_->Snapshot();
  if (!log.ok()) return log.status();
  return (*log)->Runs();
}

Result<std::string> StoredStudy::ContentHash() const {
  Result<std::vector<Event>> events = Events();
  if (!events.ok()) return events.status();
  Result<std::vector<MeasurementRow>> measurements = Measurements();
  if (!measurements.ok()) return measurements.status();
  return ContentSha256(*events, *measurements);
}

}  // namespace

Result<std::unique_ptr<Study>> Study::Create(std::unique_ptr<EventStore> store,
                                             const std::string& config_json) {
  if (!nlohmann::json::parse(config_json, nullptr, /*allow_exceptions=*/false).is_object()) {
    return InvalidArgument(store->name() + ": a study's configuration must be a JSON object");
  }
  BITPILOT_RETURN_IF_ERROR(store->Claim());
  BITPILOT_RETURN_IF_ERROR(store->BeginLog({std::string(kConfigKind), config_json, {}}));
  return std::unique_ptr<Study>(std::make_unique<StoredStudy>(std::move(store)));
}

Result<std::unique_ptr<Study>> Study::Create(const std::string& path,
                                             const std::string& config_json,
                                             const StudyWait& wait) {
  return Create(MakeSqliteEventStore(path, wait), config_json);
}

Result<std::unique_ptr<Study>> Study::OpenForResume(std::unique_ptr<EventStore> store) {
  // Everything that can be wrong is found by a reader first, so that a failure changes nothing.
  BITPILOT_RETURN_IF_ERROR(store->Snapshot().status());
  BITPILOT_RETURN_IF_ERROR(store->Claim());
  Result<std::optional<LogProblem>> problem = VerifyLog(*store);
  if (!problem.ok()) return problem.status();
  if (*problem) {
    return DataCorrupt(store->name() + ": event " + std::to_string((*problem)->seq) + ": " +
                       (*problem)->what + "; a damaged study is not continued");
  }
  BITPILOT_RETURN_IF_ERROR(store->BeginRun());
  return std::unique_ptr<Study>(std::make_unique<StoredStudy>(std::move(store)));
}

Result<std::unique_ptr<Study>> Study::OpenForResume(const std::string& path,
                                                    const StudyWait& wait) {
  return OpenForResume(MakeSqliteEventStore(path, wait));
}

Result<std::unique_ptr<Study>> Study::OpenReadOnly(std::unique_ptr<EventStore> store) {
  {
    const Result<std::unique_ptr<EventSnapshot>> log = store->Snapshot();
    if (!log.ok()) return log.status();
    const Result<std::optional<std::string>> damage = (*log)->FindDamage();
    if (!damage.ok()) return damage.status();
    if (*damage) {
      return DataCorrupt(store->name() + ": is damaged (" + **damage +
                         "); `bitpilot log verify` names the first bad event");
    }
  }
  return std::unique_ptr<Study>(std::make_unique<StoredStudy>(std::move(store)));
}

Result<std::unique_ptr<Study>> Study::OpenReadOnly(const std::string& path) {
  return OpenReadOnly(MakeSqliteEventStore(path));
}

bool MayLackItsEnd(const std::string& path) { return SqliteFileMayLackItsEnd(path); }

std::string MissingEndText(const std::string& path) {
  return path + ": " + path +
         "-wal is not beside it, so this is a copy of a search that was running or killed, and the "
         "last events may be missing. To copy a study, let the search end (Ctrl-C saves) and copy "
         "FILE and FILE.files; while it runs, `sqlite3 FILE '.backup COPY'` copies FILE";
}

}  // namespace bitpilot

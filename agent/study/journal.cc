#include "agent/study/journal.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "agent/study/measurement_rows.h"

namespace bitpilot {
namespace {

constexpr const char* kResumeKind = "resume";
constexpr const char* kPlacesKey = "places";
constexpr const char* kEndOfLog = "the log ends here";

Status Divergence(std::int64_t seq, const std::string& logged, const std::string& recomputed) {
  return DataCorrupt("replay diverges at seq " + std::to_string(seq) + ": the log holds " + logged +
                     ", recomputed " + recomputed);
}

// `events` begin with the configuration.
Status CheckLogVersion(const std::vector<Event>& events) {
  if (events.size() == 1) return Status();
  AgentEvent began;
  began.build = "a bitpilot before 0.3";
  began.log_version = 1;
  if (events[1].kind == AgentEvent::kKind) {
    Result<AgentEvent> agent = ParseEvent<AgentEvent>(events[1].payload);
    if (!agent.ok()) return agent.status();
    began = std::move(*agent);
  }
  if (began.log_version == kLogVersion) return Status();
  return Status(StatusCode::kVersionMismatch,
                "the log has version " + std::to_string(began.log_version) + ", begun by " +
                    began.build + "; this bitpilot goes on with and replays version " +
                    std::to_string(kLogVersion) +
                    " only. `bitpilot report` and `bitpilot log verify` read it; for the rest use "
                    "the bitpilot that wrote it");
}

}  // namespace

Status EndOfLog() { return Status(StatusCode::kAborted, kEndOfLog); }

bool IsEndOfLog(const Status& status) {
  return status.code() == StatusCode::kAborted && status.message() == kEndOfLog;
}

Journal::Journal(Study& study, std::string study_id, AtEnd at_end, std::deque<Event> pending)
    : study_(&study),
      study_id_(std::move(study_id)),
      at_end_(at_end),
      pending_(std::move(pending)) {
  for (const Event& event : pending_) {
    if (event.kind == PolicyEvent::kKind) last_policy_seq_ = event.seq;
  }
}

Result<Journal> Journal::Open(Study& study, AtEnd at_end) {
  Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  if (events->empty() || events->front().kind != "config") {
    return DataCorrupt(study.path() + ": the log must begin with the configuration");
  }
  BITPILOT_RETURN_IF_ERROR(CheckLogVersion(*events).WithContext(study.path()));
  std::deque<Event> pending;
  for (auto event = events->begin() + 1; event != events->end(); ++event) {
    // Who went on where: nothing that decides.
    if (event->kind == kResumeKind || event->kind == AgentEvent::kKind) continue;
    pending.push_back(std::move(*event));
  }
  Result<std::string> study_id = study.Id();
  if (!study_id.ok()) return study_id.status();
  return Journal(study, std::move(*study_id), at_end, std::move(pending));
}

std::string Journal::RequestName(const std::string& measurement_id) const {
  return "study " + study_id_ + " measurement " + measurement_id;
}

std::string_view Journal::next_kind() const {
  return replaying() ? std::string_view(pending_.front().kind) : std::string_view();
}

Result<std::string> Journal::TakePayload(const std::string& kind) {
  Event event = std::move(pending_.front());
  pending_.pop_front();
  seq_ = event.seq;
  last_was_logged_ = true;
  if (event.kind != kind)
    return Divergence(event.seq, event.kind + " " + event.payload, "an event of kind " + kind);
  return std::move(event.payload);
}

Status Journal::NoteAgent(const std::string& build, const std::string& solver) {
  return study_->Append(std::string(AgentEvent::kKind),
                        ToJson(AgentEvent{build, solver, kLogVersion}));
}

Status Journal::NoteClassChange(const std::string& cpu_class) {
  return study_->Append(kResumeKind, nlohmann::json{{"cpu_class", cpu_class}}.dump());
}

Status Journal::NotePlaces(const nlohmann::json& places) {
  return study_->Append(kResumeKind, nlohmann::json{{kPlacesKey, places}}.dump());
}

Result<nlohmann::json> NotedPlaces(const Study& study) {
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  nlohmann::json places = nlohmann::json::object();
  for (const Event& event : *events) {
    if (event.kind != kResumeKind) continue;
    const auto payload = nlohmann::json::parse(event.payload, nullptr, /*allow_exceptions=*/false);
    if (payload.is_object() && payload.contains(kPlacesKey)) places.update(payload[kPlacesKey]);
  }
  return places;
}

Status Journal::RequireRecording() const { return at_end_ == AtEnd::kStop ? EndOfLog() : Status(); }

Status Journal::Append(const std::string& kind, const std::string& payload) {
  last_was_logged_ = false;
  return study_->Append(kind, payload);
}

Status Journal::Compare(const std::string& logged, const std::string& recomputed) const {
  if (logged == recomputed) return Status();
  const nlohmann::json was = nlohmann::json::parse(logged);
  const nlohmann::json is = nlohmann::json::parse(recomputed);
  const nlohmann::json changes = nlohmann::json::diff(was, is);
  if (changes.empty()) return Divergence(seq_, logged, recomputed);
  // The first difference: an event may be long.
  const nlohmann::json::json_pointer where(changes.front().at("path").get<std::string>());
  const auto at = [&](const nlohmann::json& event) {
    return where.to_string() + " = " + (event.contains(where) ? event.at(where).dump() : "nothing");
  };
  return Divergence(seq_, at(was), at(is));
}

Result<std::vector<MeasurementRow>> Journal::ObserveMeasurements(
    const std::vector<std::string>& measurement_ids,
    const std::function<Result<std::vector<MeasurementRow>>()>& measure) {
  if (!replaying()) {
    BITPILOT_RETURN_IF_ERROR(RequireRecording());
    BITPILOT_RETURN_IF_ERROR(Heartbeat());
    Result<std::vector<MeasurementRow>> rows = measure();
    if (!rows.ok()) return rows;
    BITPILOT_CHECK(rows->size() == measurement_ids.size());
    BITPILOT_RETURN_IF_ERROR(AppendRows(*rows));
    return rows;
  }
  std::vector<MeasurementRow> rows;
  for (const std::string& id : measurement_ids) {
    const Result<MeasurementEvent> event = TakeEvent<MeasurementEvent>();
    if (!event.ok()) return event.status();
    if (event->measurement_id != id) {
      return Divergence(seq_, "measurement " + event->measurement_id, "measurement " + id);
    }
    Result<MeasurementRow> row = LoggedRow(id);
    if (!row.ok()) return row.status();
    rows.push_back(std::move(*row));
  }
  return rows;
}

Result<MeasurementRow> Journal::LoggedRow(const std::string& measurement_id) const {
  const std::string where = "measurement " + measurement_id;
  Result<std::optional<MeasurementRow>> row = study_->FindMeasurement(measurement_id);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return DataCorrupt(where + ": its row is missing");
  BITPILOT_RETURN_IF_ERROR(CheckFigures(**row).WithContext(where));
  return std::move(**row);
}

Status Journal::AppendRows(const std::vector<MeasurementRow>& rows) {
  BITPILOT_CHECK(recording());
  last_was_logged_ = false;
  return study_->AppendMeasurements(rows);
}

Status Journal::Heartbeat() {
  BITPILOT_CHECK(recording());
  return study_->Heartbeat();
}

std::optional<std::string> Journal::NextMeasurementId() const {
  if (!replaying() || pending_.front().kind != MeasurementEvent::kKind) return std::nullopt;
  const Result<MeasurementEvent> event = ParseEvent<MeasurementEvent>(pending_.front().payload);
  return event.ok() ? std::optional(event->measurement_id) : std::nullopt;
}

bool Journal::ReplaysMeasurement(const std::string& measurement_id) const {
  return NextMeasurementId() == measurement_id;
}

Result<std::optional<ArtifactEvent>> Journal::TakeArtifact() {
  if (!replaying() || pending_.front().kind != ArtifactEvent::kKind) {
    return std::optional<ArtifactEvent>();
  }
  const Result<std::string> payload = TakePayload(std::string(ArtifactEvent::kKind));
  if (!payload.ok()) return payload.status();
  Result<ArtifactEvent> artifact = ParseEvent<ArtifactEvent>(*payload);
  if (!artifact.ok()) return artifact.status();
  return std::optional(std::move(*artifact));
}

Status Journal::PutArtifact(const ArtifactEvent& artifact) {
  BITPILOT_CHECK(recording());
  return study_->PutArtifact(artifact.sha256, artifact.kind, artifact.file);
}

}  // namespace bitpilot

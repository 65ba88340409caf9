#include "agent/study/sqlite/derived_rows.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/sqlite/table_reader.h"

namespace bitpilot {
namespace {

using Finding = std::optional<LogProblem>;

Result<Finding> FindAlteredConfig(const SqliteDatabase& database) {
  const Result<std::string> config = database.QueryText("SELECT config FROM study");
  if (!config.ok()) return config.status();
  const Result<std::string> logged = database.QueryText("SELECT payload FROM event WHERE seq = 1");
  if (!logged.ok()) return logged.status();
  if (*config == *logged) return Finding();
  return Finding({1, "table study holds another configuration"});
}

Result<Finding> FindAlteredArtifact(const SqliteDatabase& database) {
  Result<std::vector<ArtifactRow>> artifacts = ReadArtifacts(database);
  if (!artifacts.ok()) return artifacts.status();
  std::map<std::int64_t, ArtifactRow> rows;
  for (ArtifactRow& row : *artifacts) rows[row.seq] = std::move(row);

  Result<SqliteStatement> events =
      database.Prepare("SELECT seq, payload FROM event WHERE kind = ?1 ORDER BY seq");
  if (!events.ok()) return events.status();
  events->Bind(1, ArtifactEvent::kKind);
  while (true) {
    const Result<bool> has_event = events->Step();
    if (!has_event.ok()) return has_event.status();
    if (!*has_event) break;
    const std::int64_t seq = events->Int(0);
    const auto row = rows.extract(seq);
    if (row.empty()) return Finding({seq, "its artifact is missing"});
    const ArtifactRow& artifact = row.mapped();
    if (events->Text(1) != ToJson(ArtifactEvent{artifact.sha256, artifact.kind, artifact.file})) {
      return Finding({seq, "artifact " + artifact.file + " was altered"});
    }
  }
  if (rows.empty()) return Finding();
  return Finding({0, "artifact " + rows.begin()->second.file + " is in no event"});
}

Result<Finding> FindAddedMeasurement(const SqliteDatabase& database) {
  Result<SqliteStatement> row = database.Prepare(
      "SELECT measurement_id FROM measurement LEFT JOIN event ON event.seq = measurement.seq AND "
      "event.kind = ?1 WHERE event.seq IS NULL ORDER BY measurement.seq");
  if (!row.ok()) return row.status();
  const Result<bool> found = row->Bind(1, MeasurementEvent::kKind).Step();
  if (!found.ok()) return found.status();
  if (!*found) return Finding();
  return Finding({0, "measurement " + row->Text(0) + " is in no event"});
}

}  // namespace

Result<Finding> FindAlteredRow(const SqliteDatabase& database) {
  Finding first;
  for (const auto find : {FindAlteredConfig, FindAlteredArtifact, FindAddedMeasurement}) {
    const Result<Finding> finding = find(database);
    if (!finding.ok()) return finding.status();
    if (!*finding) continue;
    if ((*finding)->seq > 0) return finding;
    if (!first) first = *finding;
  }
  return first;
}

}  // namespace bitpilot

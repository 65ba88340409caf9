#include "agent/study/sqlite/study_schema.h"

#include <array>
#include <map>
#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// Version 1. CHECKs call no functions that trusted_schema = OFF forbids (json_valid among them):
// JSON is checked in code.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE study(
  study_id INTEGER PRIMARY KEY CHECK(study_id = 1),
  config   TEXT NOT NULL                   -- full resolved configuration, JSON; equals event 1
) STRICT;

CREATE TABLE run(                          -- one process life of the agent; a resume is a new run
  run_id         INTEGER PRIMARY KEY,
  host           TEXT NOT NULL,
  pid            INTEGER NOT NULL,
  boot_id        TEXT NOT NULL,
  started_utc_ns INTEGER NOT NULL,
  ended_utc_ns   INTEGER,                  -- NULL: running, or killed
  exit_reason    TEXT,
  CHECK((ended_utc_ns IS NULL) = (exit_reason IS NULL))
) STRICT;

CREATE TABLE event(                        -- append-only, in the order in which the agent consumed things
  seq         INTEGER PRIMARY KEY CHECK(seq > 0),
  kind        TEXT NOT NULL,
  payload     TEXT NOT NULL,               -- JSON
  prev_sha256 TEXT NOT NULL,
  sha256      TEXT NOT NULL UNIQUE,
  run_id      INTEGER NOT NULL REFERENCES run,
  utc_ns      INTEGER NOT NULL
) STRICT;

CREATE TABLE measurement(                  -- chained by the event whose seq it names
  seq               INTEGER PRIMARY KEY REFERENCES event DEFERRABLE INITIALLY DEFERRED,
  measurement_id    TEXT NOT NULL UNIQUE,
  candidate_id      TEXT NOT NULL,
  assignment        TEXT NOT NULL,
  board             TEXT NOT NULL,
  tier              TEXT NOT NULL CHECK(tier IN('SCREEN','STANDARD','AUDIT')),
  status            TEXT NOT NULL CHECK(status IN('OK','NOISY','WRONG_OUTPUT','UNSUPPORTED','OUT_OF_MEMORY',
                      'CRASH','TIMED_OUT','THERMAL_ABORT','POWER_ABORT','LOST','CANCELLED','REJECTED',
                      'PROTOCOL_ERROR')),
  detail            TEXT NOT NULL,
  source            TEXT NOT NULL,
  latency_median_ns REAL,
  latency_low_ns    REAL,
  latency_high_ns   REAL,
  window_ns         BLOB NOT NULL CHECK(length(window_ns) % 8 = 0),      -- little-endian doubles
  window_cpu_ns     BLOB NOT NULL CHECK(length(window_cpu_ns) % 8 = 0),
  conditions        TEXT NOT NULL,
  -- A failure is never a number.
  CHECK((status IN('OK','NOISY')) = (latency_median_ns IS NOT NULL)),
  CHECK((latency_median_ns IS NULL) = (latency_low_ns IS NULL)),
  CHECK((latency_median_ns IS NULL) = (latency_high_ns IS NULL)),
  CHECK(latency_median_ns > 0 AND latency_low_ns <= latency_median_ns AND latency_median_ns <= latency_high_ns),
  CHECK(status IN('OK','NOISY') OR length(window_ns) = 0)
) STRICT;
CREATE INDEX measurement_by_candidate ON measurement(candidate_id, tier);

CREATE TABLE artifact(                     -- files beside the study; chained by the event whose seq it names
  seq    INTEGER PRIMARY KEY REFERENCES event DEFERRABLE INITIALLY DEFERRED,
  sha256 TEXT NOT NULL,
  kind   TEXT NOT NULL,
  file   TEXT NOT NULL,
  UNIQUE(sha256, file)
) STRICT;

CREATE TABLE head(                         -- the end of the log, so that a removed last event shows
  head_id     INTEGER PRIMARY KEY CHECK(head_id = 1),
  seq         INTEGER NOT NULL,
  sha256      TEXT NOT NULL,
  runs_sha256 TEXT NOT NULL                -- of every row of run
) STRICT;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
  BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event
  BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER measurement_no_update BEFORE UPDATE ON measurement
  BEGIN SELECT RAISE(ABORT, 'measurement is append-only'); END;
CREATE TRIGGER measurement_no_delete BEFORE DELETE ON measurement
  BEGIN SELECT RAISE(ABORT, 'measurement is append-only'); END;
CREATE TRIGGER artifact_no_update BEFORE UPDATE ON artifact
  BEGIN SELECT RAISE(ABORT, 'artifact is append-only'); END;
CREATE TRIGGER artifact_no_delete BEFORE DELETE ON artifact
  BEGIN SELECT RAISE(ABORT, 'artifact is append-only'); END;
CREATE TRIGGER study_no_update BEFORE UPDATE ON study
  BEGIN SELECT RAISE(ABORT, 'the configuration of a study never changes'); END;
)sql";

// Version 2: energy of one inference. The tiers are those of sensors: no model's figure fits.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE measurement ADD COLUMN energy_tier TEXT NOT NULL DEFAULT 'NONE'
  CHECK(energy_tier IN('NONE','SENSOR_ONBOARD','METER_EXTERNAL'));
ALTER TABLE measurement ADD COLUMN energy_source TEXT
  CHECK((energy_tier = 'NONE') = (energy_source IS NULL));
ALTER TABLE measurement ADD COLUMN energy_gross_uj REAL
  CHECK((energy_tier = 'NONE') = (energy_gross_uj IS NULL) AND
        (energy_gross_uj IS NULL OR (energy_gross_uj > 0 AND latency_median_ns IS NOT NULL)));
ALTER TABLE measurement ADD COLUMN energy_gross_uncertainty_uj REAL
  CHECK((energy_tier = 'NONE') = (energy_gross_uncertainty_uj IS NULL) AND
        (energy_gross_uncertainty_uj IS NULL OR energy_gross_uncertainty_uj >= 0));
ALTER TABLE measurement ADD COLUMN energy_net_uj REAL
  CHECK(energy_tier <> 'NONE' OR energy_net_uj IS NULL);
ALTER TABLE measurement ADD COLUMN energy_net_uncertainty_uj REAL
  CHECK((energy_net_uj IS NULL) = (energy_net_uncertainty_uj IS NULL));
ALTER TABLE measurement ADD COLUMN energy_window_uj BLOB
  CHECK((energy_tier = 'NONE') = (energy_window_uj IS NULL) AND length(energy_window_uj) % 8 = 0);
)sql";

// kMigrations[v] brings a file from version v to v + 1. Released entries never change.
constexpr std::array<const char*, 2> kMigrations = {kVersion1, kVersion2};

// Every object of the schema: "table event" -> its SQL.
Result<std::map<std::string, std::string>> SchemaObjects(const SqliteDatabase& database) {
  Result<SqliteStatement> rows = database.Prepare(
      "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE "
      "'sqlite_stat%'");
  if (!rows.ok()) return rows.status();
  std::map<std::string, std::string> objects;
  while (true) {
    Result<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) return objects;
    objects[rows->Text(0)] = rows->Text(1);
  }
}

}  // namespace

Result<std::int64_t> SchemaVersion(const SqliteDatabase& database) {
  return database.QueryInt("PRAGMA user_version");
}

std::int64_t CurrentSchemaVersion() { return static_cast<std::int64_t>(kMigrations.size()); }

Status MigrateSchema(SqliteDatabase& database) {
  return MigrateSchemaTo(CurrentSchemaVersion(), database);
}

Status MigrateSchemaTo(std::int64_t target, SqliteDatabase& database) {
  BITPILOT_CHECK(target <= CurrentSchemaVersion());
  Result<std::int64_t> version = SchemaVersion(database);
  if (!version.ok()) return version.status();
  for (std::int64_t v = *version; v < target; ++v) {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database, "IMMEDIATE");
    if (!transaction.ok()) return transaction.status();
    BITPILOT_RETURN_IF_ERROR(database.Execute(kMigrations.at(static_cast<std::size_t>(v))));
    BITPILOT_RETURN_IF_ERROR(
        database.Execute("PRAGMA application_id = " + std::to_string(kStudyApplicationId) +
                         "; PRAGMA user_version = " + std::to_string(v + 1)));
    BITPILOT_RETURN_IF_ERROR(transaction->Commit());
  }
  return Status();
}

Status CheckStudyFile(const SqliteDatabase& database) {
  const std::string& path = database.path();
  Result<std::int64_t> pages = database.QueryInt("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  if (*pages == 0) {
    return DataCorrupt(path + ": is empty; expected a study written by `bitpilot search`");
  }
  Result<std::int64_t> application_id = database.QueryInt("PRAGMA application_id");
  if (!application_id.ok()) return application_id.status();
  if (*application_id != kStudyApplicationId) {
    return DataCorrupt(path + ": is an SQLite file but not a study (application_id " +
                       std::to_string(*application_id) + ", expected " +
                       std::to_string(kStudyApplicationId) + ")");
  }
  Result<std::int64_t> version = SchemaVersion(database);
  if (!version.ok()) return version.status();
  if (*version > CurrentSchemaVersion()) {
    return Status(StatusCode::kVersionMismatch,
                  path + ": has schema version " + std::to_string(*version) +
                      ", written by a newer bitpilot; this one knows versions 1 to " +
                      std::to_string(CurrentSchemaVersion()) + ". Use the newer bitpilot");
  }
  if (*version < 1) {
    return DataCorrupt(path + ": has schema version " + std::to_string(*version) +
                       ", which no bitpilot wrote");
  }
  return Status();
}

Result<std::optional<std::string>> FindDamage(const SqliteDatabase& database) {
  Result<std::string> finding = database.QueryText("PRAGMA integrity_check(1)");
  if (!finding.ok()) return finding.status();
  return *finding == "ok" ? std::nullopt : std::optional(*finding);
}

Result<std::optional<std::string>> FindSchemaChange(const SqliteDatabase& database) {
  const Result<std::int64_t> version = SchemaVersion(database);
  if (!version.ok()) return version.status();
  Result<std::unique_ptr<SqliteDatabase>> fresh =
      SqliteDatabase::Open(":memory:", SqliteMode::kCreate);
  if (!fresh.ok()) return fresh.status();
  BITPILOT_RETURN_IF_ERROR(MigrateSchemaTo(*version, **fresh));
  Result<std::map<std::string, std::string>> expected = SchemaObjects(**fresh);
  if (!expected.ok()) return expected.status();
  Result<std::map<std::string, std::string>> found = SchemaObjects(database);
  if (!found.ok()) return found.status();

  for (const auto& [name, sql] : *expected) {
    const auto object = found->find(name);
    if (object == found->end()) return std::optional(name + " is missing");
    if (object->second != sql) return std::optional(name + " was altered");
  }
  for (const auto& [name, sql] : *found) {
    if (!expected->contains(name)) return std::optional(name + " was added");
  }
  return std::optional<std::string>();
}

}  // namespace bitpilot

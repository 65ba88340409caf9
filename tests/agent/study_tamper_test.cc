// Every way to edit a study behind bitpilot's back, and the event that VerifyLog() names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "agent/study/event_chain.h"
#include "agent/study/sqlite/sqlite_database.h"
#include "agent/study/sqlite/sqlite_event_store.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::StartsWith;

// Seq:  1 config  2 proposal  3 measurement m1  4 transition  5 proposal  6 measurement m2 (crash)
//       7 artifact  8 end
void WriteStudy(const std::string& path) {
  const auto study = ValueOrDie(Study::Create(path, R"({"seed":7})"));
  ASSERT_TRUE(study->Append("proposal", R"({"step":0,"reason":"uniform"})").ok());
  ASSERT_TRUE(study->AppendMeasurement(MeasuredRow("m1", 1e6)).ok());
  ASSERT_TRUE(study->Append("transition", R"({"step":0,"loss":0.25})").ok());
  ASSERT_TRUE(study->Append("proposal", R"({"step":1,"reason":"neighbour"})").ok());
  ASSERT_TRUE(study->AppendMeasurement(CrashedRow("m2")).ok());
  ASSERT_TRUE(study->PutArtifact("abc", "checkpoint", "a.ckpt").ok());
  ASSERT_TRUE(study->Append("end", R"({"reason":"done"})").ok());
  ASSERT_TRUE(study->Close().ok());
}

// Runs `edit` with the triggers away and puts them back, so that only the rows tell.
void Edit(const std::string& path, const std::string& edit) {
  const auto raw = ValueOrDie(SqliteDatabase::Open(path, SqliteMode::kReadWrite));
  const std::string create = ValueOrDie(
      raw->QueryText("SELECT group_concat(sql, ';') FROM sqlite_schema WHERE type = 'trigger'"));
  const std::string drop = ValueOrDie(raw->QueryText(
      "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = "
      "'trigger'"));
  const Status status =
      raw->Execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;" + drop + ";" +
                   edit + ";" + create);
  ASSERT_TRUE(status.ok()) << status.message();
}

struct Tamper {
  const char* name;
  const char* sql;
  const char* expected;  // start of "<seq>: <what>"
};

void PrintTo(const Tamper& tamper, std::ostream* stream) { *stream << tamper.name; }

constexpr Tamper kTampers[] = {
    {"Payload", "UPDATE event SET payload = replace(payload, '0.25', '0.26') WHERE seq = 4", "4: "},
    {"Kind", "UPDATE event SET kind = 'proposal' WHERE seq = 4", "4: "},
    {"Hash", "UPDATE event SET sha256 = replace(sha256, substr(sha256, 9, 1), 'x') WHERE seq = 5",
     "5: "},
    {"PreviousHash", "UPDATE event SET prev_sha256 = 'x' WHERE seq = 5", "5: "},
    {"Time", "UPDATE event SET utc_ns = utc_ns + 1 WHERE seq = 2", "2: "},
    {"Run", "UPDATE event SET run_id = 2 WHERE seq = 2", "2: "},
    {"LastEventDeleted", "DELETE FROM event WHERE seq = 8", "8: is missing"},
    {"LastTwoEventsDeleted",
     "DELETE FROM event WHERE seq >= 7; DELETE FROM artifact WHERE seq >= 7", "7: is missing"},
    {"MiddleEventDeleted", "DELETE FROM event WHERE seq = 4", "4: is missing"},
    {"FirstEventDeleted", "DELETE FROM event WHERE seq = 1", "1: is missing"},
    {"AllEventsDeleted", "DELETE FROM event", "1: is missing"},
    {"EventsRenumbered",
     "DELETE FROM event WHERE seq = 4; UPDATE event SET seq = seq - 1 WHERE seq > 4", "4: "},
    {"EventsSwapped",
     "UPDATE event SET seq = -2 WHERE seq = 2; UPDATE event SET seq = 2 WHERE seq = 5; UPDATE "
     "event SET seq = 5 WHERE seq = -2",
     "2: "},
    {"EventRepeatedAtTheEnd",
     "INSERT INTO event SELECT 9, kind, payload, prev_sha256, 'x', run_id, utc_ns FROM event WHERE "
     "seq = 8",
     "9: "},
    {"WindowChanged",
     "UPDATE measurement SET window_ns = CAST(substr(window_ns, 1, 71) || x'40' AS BLOB) WHERE seq "
     "= 3",
     "3: measurement m1"},
    {"WindowRemoved",
     "UPDATE measurement SET window_ns = CAST(substr(window_ns, 1, 64) AS BLOB) WHERE seq = 3",
     "3: measurement m1"},
    {"CpuWindowsRemoved", "UPDATE measurement SET window_cpu_ns = x'' WHERE seq = 3",
     "3: measurement m1"},
    {"LatencyChanged",
     "UPDATE measurement SET latency_median_ns = latency_median_ns - 0.0000001 WHERE seq = 3",
     "3: measurement m1"},
    {"NumberInventedForAFailure",
     "UPDATE measurement SET status = 'OK', latency_median_ns = 1.0, latency_low_ns = 1.0, "
     "latency_high_ns = 1.0 WHERE seq = 6",
     "6: measurement m2"},
    {"ConditionsChanged", "UPDATE measurement SET conditions = '{}' WHERE seq = 3",
     "3: measurement m1"},
    {"MeasurementDeleted", "DELETE FROM measurement WHERE seq = 3", "3: its measurement"},
    {"MeasurementsSwapped",
     "UPDATE measurement SET seq = -1 WHERE seq = 3; UPDATE measurement SET seq = 3 WHERE seq = 6; "
     "UPDATE measurement SET seq = 6 WHERE seq = -1",
     "3: measurement m2"},
    {"MeasurementAdded",
     "INSERT INTO measurement SELECT 99, 'm9', candidate_id, assignment, board, tier, status, "
     "detail, source, latency_median_ns, latency_low_ns, latency_high_ns, window_ns, "
     "window_cpu_ns, conditions, energy_tier, energy_source, energy_gross_uj, "
     "energy_gross_uncertainty_uj, energy_net_uj, energy_net_uncertainty_uj, energy_window_uj "
     "FROM measurement WHERE seq = 3",
     "0: measurement m9"},
    {"ArtifactChanged", "UPDATE artifact SET sha256 = 'abd'", "7: artifact"},
    {"ArtifactDeleted", "DELETE FROM artifact", "7: its artifact"},
    {"ArtifactAdded", "INSERT INTO artifact VALUES(99, 'x', 'network', 'x.net')", "0: artifact x"},
    {"ConfigurationChanged", "UPDATE study SET config = '{\"seed\":8}'", "1: "},
    {"ConfigurationDeleted", "DELETE FROM study", "1: "},
    {"HeadMovedBack", "UPDATE head SET seq = 7", "8: was added"},
    {"HeadChanged", "UPDATE head SET sha256 = 'x'", "8: "},
    {"HeadDeleted", "DELETE FROM head", "1: was added"},
    {"HostChanged", "UPDATE run SET host = 'elsewhere'", "0: table run"},
    {"ExitReasonChanged", "UPDATE run SET exit_reason = 'interrupted'", "0: table run"},
    {"RunAdded", "INSERT INTO run VALUES(2, 'h', 1, 'b', 0, NULL, NULL)", "0: table run"},
    {"TableAdded", "CREATE TABLE extra(x)", "0: the schema was changed: table extra"},
    {"TableDropped", "DROP TABLE head", "0: the schema was changed: table head is missing"},
    {"IndexDropped", "DROP INDEX measurement_by_candidate",
     "0: the schema was changed: index measurement_by_candidate is missing"},
};

class VerifyLogTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const StudyFolder folder;
    WriteStudy(folder.Path("a.db"));
    untouched_ = ReadBytes(folder.Path("a.db"));
  }
  void SetUp() override { WriteBytes(path_, untouched_); }

  static inline std::string untouched_;

  StudyFolder folder_;
  std::string path_ = folder_.Path("a.db");
};

class VerifyLogTamperTest : public VerifyLogTest, public testing::WithParamInterface<Tamper> {};

TEST_P(VerifyLogTamperTest, NamesTheFirstBadEvent) {
  ASSERT_EQ(Problem(path_), "");
  Edit(path_, GetParam().sql);
  EXPECT_THAT(Problem(path_), StartsWith(GetParam().expected));
  EXPECT_EQ(Study::OpenForResume(path_).status().code(), StatusCode::kDataCorrupt);
}

INSTANTIATE_TEST_SUITE_P(All, VerifyLogTamperTest, testing::ValuesIn(kTampers),
                         [](const auto& tamper) { return tamper.param.name; });

TEST_F(VerifyLogTest, FindsADroppedTriggerEvenIfNothingElseChanged) {
  ASSERT_TRUE(ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite))
                  ->Execute("DROP TRIGGER event_no_delete")
                  .ok());
  EXPECT_EQ(Problem(path_), "0: the schema was changed: trigger event_no_delete is missing");
}

// A forger who recomputes the changed event's own hash is caught at the next one.
TEST_F(VerifyLogTest, NamesTheEventAfterAForgedOne) {
  std::vector<StoredEvent> events;
  const auto collect = [&](StoredEvent event) {
    events.push_back(std::move(event));
    return Status();
  };
  ASSERT_TRUE(ValueOrDie(MakeSqliteEventStore(path_)->Snapshot())->ReadFrom(1, {}, collect).ok());
  ChainedEvent forged = events.at(3).chained;
  forged.event.payload = R"({"loss":0.01,"step":0})";
  Edit(path_, "UPDATE event SET payload = '" + forged.event.payload + "', sha256 = '" +
                  EventSha256(forged) + "' WHERE seq = 4");
  EXPECT_THAT(Problem(path_), StartsWith("5: does not follow"));
}

// Each byte of each occurrence of what a row stores, flipped in the file itself.
TEST_F(VerifyLogTest, F61NamesTheEventOfAFlippedByteInTheFile) {
  const std::string bytes = ReadBytes(path_);
  const MeasurementRow m1 = MeasuredRow("m1", 1e6);
  const std::string window(reinterpret_cast<const char*>(&m1.window_ns[5]), sizeof(double));
  const std::pair<std::string, const char*> contents[] = {
      {R"("reason":"neighbour")", "5: "}, {R"({"step":0,"loss":0.25})", "4: "}, {window, "3: "}};
  for (const auto& [content, expected] : contents) {
    const std::size_t start = bytes.find(content);
    ASSERT_NE(start, std::string::npos) << content;
    for (std::size_t i = start; i < start + content.size(); ++i) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
      WriteBytes(path_, damaged);
      EXPECT_THAT(Problem(path_), StartsWith(expected)) << i;
    }
  }
}

// All rows as text, or nullopt if they cannot be read.
std::optional<std::string> AllRows(const std::string& path) {
  Result<std::unique_ptr<SqliteDatabase>> database =
      SqliteDatabase::Open(path, SqliteMode::kReadOnly);
  if (!database.ok()) return std::nullopt;
  std::string all;
  for (const char* query :
       {"SELECT group_concat(seq || kind || payload || prev_sha256 || sha256 || run_id || utc_ns) "
        "FROM event",
        "SELECT group_concat(seq || measurement_id || candidate_id || assignment || board || tier "
        "|| status || "
        "detail || source || coalesce(latency_median_ns, '') || coalesce(latency_low_ns, '') || "
        "coalesce(latency_high_ns, '') || hex(window_ns) || hex(window_cpu_ns) || conditions) FROM "
        "measurement",
        "SELECT group_concat(seq || sha256 || kind || file) FROM artifact",
        "SELECT group_concat(config) FROM study"}) {
    Result<std::string> rows = (*database)->QueryText(query);
    if (!rows.ok()) return std::nullopt;
    all += *rows + "\n";
  }
  return all;
}

// Anywhere in the file: the damage is reported, or it is where no row lives (free space, SQLite's
// counters).
TEST_F(VerifyLogTest, F15MissesNoFlippedByteThatChangesARow) {
  const std::string bytes = ReadBytes(path_);
  const std::optional<std::string> rows = AllRows(path_);
  ASSERT_TRUE(rows.has_value());
  std::mt19937 random(7);
  int reported = 0;
  for (int i = 0; i < 600; ++i) {
    std::string damaged = bytes;
    char& byte = damaged[random() % damaged.size()];
    byte = static_cast<char>(byte ^ (1 << (random() % 8)));
    WriteBytes(path_, damaged);
    Result<std::optional<LogProblem>> problem = VerifyLog(path_);
    if (!problem.ok() || problem->has_value()) {
      ++reported;
    } else {
      EXPECT_EQ(AllRows(path_), rows);
    }
  }
  EXPECT_GT(reported, 30);
}

}  // namespace
}  // namespace bitpilot

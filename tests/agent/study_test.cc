#include "agent/study/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "agent/study/sqlite/sqlite_database.h"
#include "agent/study/sqlite/writer_lock.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr char kConfig[] = R"({"model":"resnet8","seed":7})";

class StudyTest : public testing::Test {
 protected:
  std::unique_ptr<Study> CreateStudy() { return ValueOrDie(Study::Create(path_, kConfig)); }

  // A closed study with one event of each source.
  void WriteSmallStudy(const std::string& measurement_id = "m1") {
    const auto study = CreateStudy();
    ASSERT_TRUE(study->Append("proposal", R"({"step":0})").ok());
    ASSERT_TRUE(study->AppendMeasurement(MeasuredRow(measurement_id, 1e6)).ok());
    ASSERT_TRUE(study->PutArtifact("abc", "checkpoint", "a.ckpt").ok());
    ASSERT_TRUE(study->Close().ok());
  }

  Status OpenFailure(const std::string& path) {
    const Status reader = Study::OpenReadOnly(path).status();
    const Status writer = Study::OpenForResume(path).status();
    EXPECT_EQ(reader.code(), writer.code()) << reader.message() << "\n" << writer.message();
    EXPECT_THAT(reader.message(), HasSubstr(path));
    EXPECT_THAT(writer.message(), HasSubstr(path));
    return reader;
  }

  StudyFolder folder_;
  std::string path_ = folder_.Path("a.db");
};

// Several rows are the answer to one request; another call may not bring it again.
TEST_F(StudyTest, RecordsTheAnswerToARequestOnce) {
  const auto of_request = [](const std::string& id, const std::string& measure_id) {
    MeasurementRow row = MeasuredRow(id, 1e6);
    auto conditions = ValueOrDie(ParseEvent<MeasurementConditions>(row.conditions));
    conditions.measure_id = measure_id;
    row.conditions = ToJson(conditions);
    return row;
  };
  const auto study = CreateStudy();
  const std::vector<MeasurementRow> answer{of_request("a", "0f"), of_request("b", "0f")};
  ASSERT_TRUE(study->AppendMeasurements(answer).ok());
  const Status again = study->AppendMeasurement(of_request("c", "0f"));
  EXPECT_EQ(again.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(again.message(), HasSubstr("request 0f is already in"));
  EXPECT_TRUE(study->AppendMeasurement(of_request("c", "10")).ok());
  EXPECT_TRUE(study->AppendMeasurement(MeasuredRow("d", 1e6)).ok());
  EXPECT_TRUE(study->AppendMeasurement(MeasuredRow("e", 1e6)).ok()) << "of no daemon";
  const std::vector<Event> events = ValueOrDie(study->Events());
  EXPECT_EQ(ValueOrDie(ParseEvent<MeasurementEvent>(events[1].payload)).measure_id, "0f");
}

TEST_F(StudyTest, ReturnsEventsInTheOrderInWhichTheyWereAppended) {
  WriteSmallStudy();
  const auto study = ValueOrDie(Study::OpenReadOnly(path_));
  EXPECT_EQ(study->config_json(), kConfig);
  const std::vector<Event> events = ValueOrDie(study->Events());
  ASSERT_EQ(events.size(), 4u);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].seq, static_cast<std::int64_t>(i) + 1);
  }
  EXPECT_EQ(events[0].kind, "config");
  EXPECT_EQ(events[0].payload, kConfig);
  EXPECT_EQ(events[1].kind, "proposal");
  EXPECT_EQ(events[1].payload, R"({"step":0})");
  EXPECT_EQ(events[2].kind, "measurement");
  EXPECT_EQ(events[3].kind, "artifact");
  EXPECT_EQ(Problem(path_), "");
}

TEST_F(StudyTest, ReturnsEveryBitOfAMeasurement) {
  MeasurementRow row = MeasuredRow("m1", 1e6 / 3.0);
  row.window_ns.push_back(std::numeric_limits<double>::denorm_min());
  row.detail = std::string("zero \0 byte, quote ' and \xff", 25);
  const auto study = CreateStudy();
  ASSERT_TRUE(study->AppendMeasurement(row).ok());
  ASSERT_TRUE(study->AppendMeasurement(CrashedRow("m2")).ok());

  const std::optional<MeasurementRow> found = ValueOrDie(study->FindMeasurement("m1"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->window_ns, row.window_ns);
  EXPECT_EQ(found->window_cpu_ns, row.window_cpu_ns);
  EXPECT_EQ(found->latency_median_ns, row.latency_median_ns);
  EXPECT_EQ(found->latency_high_ns, row.latency_high_ns);
  EXPECT_EQ(found->detail, row.detail);
  EXPECT_EQ(found->conditions, row.conditions);
  const std::vector<MeasurementRow> all = ValueOrDie(study->Measurements());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].status, "CRASH");
  EXPECT_EQ(all[1].latency_median_ns, std::nullopt);
  EXPECT_TRUE(all[1].window_ns.empty());
  EXPECT_FALSE(ValueOrDie(study->FindMeasurement("m3")).has_value());
}

TEST_F(StudyTest, NeverReplacesAFile) {
  WriteBytes(path_, "precious");
  const Status status = Study::Create(path_, kConfig).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("--resume"));
  EXPECT_EQ(ReadBytes(path_), "precious");
}

TEST_F(StudyTest, RefusesTheLogOfARemovedStudy) {
  WriteBytes(path_ + "-wal", "old");
  const Status status = Study::Create(path_, kConfig).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("a.db-wal"));
}

TEST_F(StudyTest, CreatesOverTheRestOfAKilledCreation) {
  WriteBytes(path_ + ".new", "half a file");
  CreateStudy();
  EXPECT_EQ(Problem(path_), "");
}

TEST_F(StudyTest, NamesAFolderThatDoesNotExist) {
  const std::string path = folder_.Path("missing/a.db");
  const Status status = Study::Create(path, kConfig).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("missing"));
}

TEST_F(StudyTest, NeedsAConfigurationThatIsAJsonObject) {
  for (const char* config : {"", "{", "[1]", "null"}) {
    EXPECT_EQ(Study::Create(path_, config).status().code(), StatusCode::kInvalidArgument) << config;
  }
  EXPECT_TRUE(folder_.FileNames().empty());
}

TEST_F(StudyTest, AppendsNothingThatItRefuses) {
  const auto study = CreateStudy();
  EXPECT_EQ(study->Append("proposal", "{").code(), StatusCode::kInvalidArgument);
  for (const char* kind : {"", "config", "measurement", "artifact"}) {
    EXPECT_EQ(study->Append(kind, "{}").code(), StatusCode::kInvalidArgument) << kind;
  }
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 1u);
}

TEST_F(StudyTest, RefusesMeasurementsThatInventNumbers) {
  const auto study = CreateStudy();
  std::vector<MeasurementRow> bad;
  bad.push_back(CrashedRow("crash with a latency"));
  bad.back().latency_median_ns = bad.back().latency_low_ns = bad.back().latency_high_ns = 1.0;
  bad.push_back(CrashedRow("crash with windows"));
  bad.back().window_ns = {1.0};
  bad.push_back(MeasuredRow("ok without a bound", 1e6));
  bad.back().latency_low_ns = std::nullopt;
  bad.push_back(MeasuredRow("not a number", std::nan("")));
  bad.push_back(MeasuredRow("infinite", std::numeric_limits<double>::infinity()));
  bad.push_back(MeasuredRow("zero", 0.0));
  bad.push_back(MeasuredRow("outside its interval", 1e6));
  bad.back().latency_low_ns = 2e6;
  bad.push_back(MeasuredRow("infinite window", 1e6));
  bad.back().window_ns[3] = std::numeric_limits<double>::infinity();
  bad.push_back(MeasuredRow("unknown status", 1e6));
  bad.back().status = "FINE";
  bad.push_back(MeasuredRow("unknown tier", 1e6));
  bad.back().tier = "screen";
  bad.push_back(MeasuredRow("conditions", 1e6));
  bad.back().conditions = "quiet";
  bad.push_back(MeasuredRow("", 1e6));
  for (const MeasurementRow& row : bad) {
    EXPECT_EQ(study->AppendMeasurement(row).code(), StatusCode::kInvalidArgument)
        << row.measurement_id;
  }
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 1u);
  EXPECT_TRUE(study->AppendMeasurement(MeasuredRow("good", 1e6)).ok());
  EXPECT_EQ(Problem(path_), "");
}

TEST_F(StudyTest, RefusesASecondMeasurementWithTheSameId) {
  const auto study = CreateStudy();
  ASSERT_TRUE(study->AppendMeasurement(MeasuredRow("m1", 1e6)).ok());
  const Status status = study->AppendMeasurement(MeasuredRow("m1", 2e6));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("m1"));
  EXPECT_EQ(ValueOrDie(study->Measurements()).size(), 1u);
}

TEST_F(StudyTest, RecordsAnArtifactOnce) {
  const auto study = CreateStudy();
  ASSERT_TRUE(study->PutArtifact("abc", "checkpoint", "a.ckpt").ok());
  ASSERT_TRUE(study->PutArtifact("abc", "checkpoint", "a.ckpt").ok());
  ASSERT_TRUE(study->PutArtifact("abc", "checkpoint", "b.ckpt").ok());
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 3u);
  EXPECT_EQ(Problem(path_), "");
}

TEST_F(StudyTest, F65ASecondWriterIsRefusedAndToldWhoHoldsTheStudy) {
  auto study = CreateStudy();
  const Status status = Study::OpenForResume(path_).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("process " + std::to_string(getpid())));
  EXPECT_TRUE(study->Append("proposal", "{}").ok());
  study.reset();
  EXPECT_TRUE(Study::OpenForResume(path_).ok());
}

TEST_F(StudyTest, ReadersSeeARunningSearch) {
  const auto study = CreateStudy();
  const auto reader = ValueOrDie(Study::OpenReadOnly(path_));
  for (int step = 0; step < 3; ++step) {
    ASSERT_TRUE(study->Append("proposal", "{}").ok());
    EXPECT_EQ(ValueOrDie(reader->Events()).size(), 2u + step);
  }
  EXPECT_EQ(Problem(path_), "");
  EXPECT_EQ(reader->Append("proposal", "{}").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ValueOrDie(reader->Head()).seq, 4);
}

TEST_F(StudyTest, TheFileAloneIsCompleteAfterClose) {
  WriteSmallStudy();
  EXPECT_THAT(folder_.FileNames(), UnorderedElementsAre("a.db"));
  const std::string before = ReadBytes(path_);
  EXPECT_EQ(Problem(path_), "");
  EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(path_))->Events()).size(), 4u);
  EXPECT_THAT(folder_.FileNames(), UnorderedElementsAre("a.db"));
  EXPECT_EQ(ReadBytes(path_), before);
}

TEST_F(StudyTest, CanBeReadButNotWrittenAfterClose) {
  const auto study = CreateStudy();
  ASSERT_TRUE(study->Close().ok());
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 1u);
  EXPECT_EQ(study->Append("proposal", "{}").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(study->Close().code(), StatusCode::kInvalidArgument);
}

TEST_F(StudyTest, CloseKeepsEverythingWhileAnIdleReaderIsOpen) {
  const auto study = CreateStudy();
  const auto reader = ValueOrDie(Study::OpenReadOnly(path_));
  ASSERT_TRUE(study->Append("proposal", "{}").ok());
  const Status closed = study->Close();
  ASSERT_TRUE(closed.ok()) << closed.message();
  const std::string copy = folder_.Path("copy.db");
  std::filesystem::copy_file(path_, copy);
  EXPECT_EQ(Problem(copy), "");
  EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(copy))->Events()).size(), 2u);
}

TEST_F(StudyTest, ReadsACopyOfAnUnfinishedStudyWithoutAddingFiles) {
  const auto study = CreateStudy();
  ASSERT_TRUE(study->Append("proposal", "{}").ok());
  const StudyFolder elsewhere;
  const std::string copy = elsewhere.Path("copy.db");
  std::filesystem::copy_file(path_,
                             copy);  // Without its -wal: what is in there is not in the copy.
  EXPECT_EQ(Problem(copy), "");
  EXPECT_THAT(elsewhere.FileNames(), UnorderedElementsAre("copy.db"));
}

TEST_F(StudyTest, ACopyOfTheFileAloneHoldsWhatWasAppendedAndSaysThatMoreMayHaveBeen) {
  const auto study = CreateStudy();
  for (int step = 0; step < 64; ++step) ASSERT_TRUE(study->Append("proposal", "{}").ok());
  const std::string copy = folder_.Path("copy.db");
  std::filesystem::copy_file(path_, copy);
  EXPECT_EQ(Problem(copy), "");
  EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(copy))->Head()).seq, 65);
  EXPECT_TRUE(MayLackItsEnd(copy));
  EXPECT_THAT(MissingEndText(copy), HasSubstr("copy.db-wal is not beside it"));
  EXPECT_FALSE(MayLackItsEnd(path_));
  ASSERT_TRUE(study->Close().ok());
  EXPECT_FALSE(MayLackItsEnd(path_));
}

// As a resume that finds its board gone.
TEST_F(StudyTest, AStudyThatGoesOutOfScopeIsCompleteInItsFile) {
  WriteSmallStudy();
  const std::int64_t seq = ValueOrDie(ValueOrDie(Study::OpenReadOnly(path_))->Head()).seq;
  { const auto abandoned = ValueOrDie(Study::OpenForResume(path_)); }
  EXPECT_FALSE(MayLackItsEnd(path_));
  EXPECT_THAT(folder_.FileNames(), UnorderedElementsAre("a.db"));
  EXPECT_EQ(Problem(path_), "");
  const auto study = ValueOrDie(Study::OpenReadOnly(path_));
  EXPECT_EQ(ValueOrDie(study->Head()).seq, seq);
  EXPECT_EQ(ValueOrDie(study->Runs()).back().exit_reason, "failed");
}

TEST_F(StudyTest, WaitsWithANoticeForAnotherProgramThatHoldsTheFile) {
  std::unique_ptr<SqliteDatabase> other;
  std::vector<std::string> notices;
  StudyWait wait;
  wait.limit = std::nullopt;
  wait.notice_after = std::chrono::milliseconds(0);
  wait.notice = [&](const std::string& text) {
    notices.push_back(text);
    if (other) {
      EXPECT_TRUE(other->Execute("ROLLBACK").ok());
    }
    other.reset();
  };
  const auto study = ValueOrDie(Study::Create(path_, kConfig, wait));
  other = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite));
  ASSERT_TRUE(other->Execute("BEGIN IMMEDIATE").ok());
  const Status appended = study->Append("proposal", "{}");
  EXPECT_TRUE(appended.ok()) << appended.message();
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_THAT(notices[0], HasSubstr("another program holds " + path_));
  EXPECT_THAT(notices[1], HasSubstr(path_ + " is free again"));
}

TEST_F(StudyTest, EndsAWaitWhenAskedToAndAppendsNothing) {
  bool stop = false;
  StudyWait wait;
  wait.limit = std::nullopt;
  wait.stop = [&] { return stop; };
  const auto study = ValueOrDie(Study::Create(path_, kConfig, wait));
  const auto other = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite));
  ASSERT_TRUE(other->Execute("BEGIN IMMEDIATE").ok());
  stop = true;
  EXPECT_EQ(study->Append("proposal", "{}").code(), StatusCode::kUnavailable);
  ASSERT_TRUE(other->Execute("ROLLBACK").ok());
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 1u);
  EXPECT_TRUE(study->Append("proposal", "{}").ok());
}

TEST_F(StudyTest, OnlyCopiesHaveTheIdOfAStudy) {
  const auto study = CreateStudy();
  const auto other = ValueOrDie(Study::Create(folder_.Path("b.db"), kConfig));
  EXPECT_NE(ValueOrDie(study->Id()), ValueOrDie(other->Id()));
  std::filesystem::copy_file(path_, folder_.Path("copy.db"));
  EXPECT_EQ(ValueOrDie(ValueOrDie(Study::OpenReadOnly(folder_.Path("copy.db")))->Id()),
            ValueOrDie(study->Id()));
}

TEST_F(StudyTest, PathsMayHoldCharactersThatMeanSomethingInUris) {
  path_ = folder_.Path("100% a?b#c d'.db");
  WriteSmallStudy();
  EXPECT_EQ(Problem(path_), "");
  EXPECT_THAT(folder_.FileNames(), UnorderedElementsAre("100% a?b#c d'.db"));
}

TEST_F(StudyTest, AResumeIsANewRunOfTheSameLog) {
  WriteSmallStudy();
  const auto study = ValueOrDie(Study::OpenForResume(path_));
  ASSERT_TRUE(study->Append("proposal", R"({"step":1})").ok());
  ASSERT_TRUE(study->Close("interrupted").ok());
  EXPECT_EQ(Problem(path_), "");
  const auto database = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadOnly));
  EXPECT_EQ(ValueOrDie(database->QueryText("SELECT group_concat(exit_reason) FROM run")),
            "done,interrupted");
  EXPECT_EQ(ValueOrDie(database->QueryText("SELECT group_concat(run_id) FROM event")), "1,1,1,1,2");
}

TEST_F(StudyTest, ContentHashIgnoresRunsClocksAndIds) {
  WriteSmallStudy("first id");
  const std::string expected = ValueOrDie(ValueOrDie(Study::OpenReadOnly(path_))->ContentHash());

  path_ = folder_.Path("b.db");
  const auto created = CreateStudy();
  ASSERT_TRUE(created->Append("proposal", R"({"step":0})").ok());
  ASSERT_TRUE(created->Close().ok());
  const auto resumed = ValueOrDie(Study::OpenForResume(path_));
  ASSERT_TRUE(resumed->Append("board", R"({"name":"another"})").ok());
  ASSERT_TRUE(resumed->AppendMeasurement(MeasuredRow("second id", 1e6)).ok());
  EXPECT_EQ(ValueOrDie(resumed->ContentHash()), expected);
  ASSERT_TRUE(resumed->Append("proposal", R"({"step":1})").ok());
  EXPECT_NE(ValueOrDie(resumed->ContentHash()), expected);
}

TEST_F(StudyTest, ContentHashSeesEveryWindow) {
  std::set<std::string> hashes;
  for (const double change : {0.0, 1e-6}) {
    path_ = folder_.Path("window" + std::to_string(hashes.size()) + ".db");
    const auto study = CreateStudy();
    MeasurementRow row = MeasuredRow("m1", 1e6);
    row.window_ns[4] += change;
    ASSERT_TRUE(study->AppendMeasurement(row).ok());
    hashes.insert(ValueOrDie(study->ContentHash()));
  }
  EXPECT_EQ(hashes.size(), 2u);
}

TEST_F(StudyTest, ContentHashIgnoresMeasurementIdsInsidePayloads) {
  std::set<std::string> hashes;
  for (const std::string id : {"x", "y"}) {
    path_ = folder_.Path(id);
    const auto study = CreateStudy();
    const std::string payload = R"({"rows":[{"measurement_id":")" + id + R"(","ratio":0.5}]})";
    ASSERT_TRUE(study->Append("final", payload).ok());
    hashes.insert(ValueOrDie(study->ContentHash()));
  }
  EXPECT_EQ(hashes.size(), 1u);
}

TEST_F(StudyTest, TheFileDefendsItselfAgainstEdits) {
  WriteSmallStudy();
  const auto raw = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite));
  for (const char* edit :
       {"UPDATE event SET payload = '{}'", "DELETE FROM event", "DELETE FROM measurement",
        "UPDATE measurement SET status = 'NOISY'", "UPDATE study SET config = '{}'",
        "UPDATE artifact SET file = 'b'", "DELETE FROM artifact",
        "INSERT INTO event VALUES(9, 'x', '{}', '', '', 77, 0)",  // no such run
        "INSERT INTO event VALUES('a', 'x', '{}', '', '', 1, 0)"}) {
    EXPECT_FALSE(raw->Execute(edit).ok()) << edit;
  }
  EXPECT_EQ(Problem(path_), "");
}

TEST_F(StudyTest, WritersUseAWriteAheadLog) {
  const auto study = CreateStudy();
  const auto raw = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadOnly));
  EXPECT_EQ(ValueOrDie(raw->QueryText("PRAGMA journal_mode")), "wal");
  EXPECT_EQ(ValueOrDie(raw->QueryInt("PRAGMA application_id")), 0x42504C54);
  EXPECT_EQ(ValueOrDie(raw->QueryInt("PRAGMA user_version")), 2);
}

TEST_F(StudyTest, NamesAFileThatIsMissing) {
  EXPECT_EQ(OpenFailure(path_).code(), StatusCode::kNotFound);
  EXPECT_TRUE(folder_.FileNames().empty());
}

TEST_F(StudyTest, NamesAFolderWhereAStudyIsExpected) {
  std::filesystem::create_directory(path_);
  EXPECT_EQ(OpenFailure(path_).code(), StatusCode::kDataCorrupt);
}

TEST_F(StudyTest, ChangesNoFileThatIsNotAStudy) {
  std::string sqlite_path = folder_.Path("other.db");
  ASSERT_TRUE(ValueOrDie(SqliteDatabase::Open(sqlite_path, SqliteMode::kCreate))
                  ->Execute("CREATE TABLE t(x)")
                  .ok());
  for (const std::string& bytes :
       {std::string(), std::string("{\"not\": \"a study\"}\n"), std::string(8192, '\0'),
        std::string("SQLite format 3\0", 16), ReadBytes(sqlite_path)}) {
    WriteBytes(path_, bytes);
    EXPECT_EQ(OpenFailure(path_).code(), StatusCode::kDataCorrupt) << bytes.size();
    EXPECT_EQ(VerifyLog(path_).status().code(), StatusCode::kDataCorrupt) << bytes.size();
    EXPECT_EQ(ReadBytes(path_), bytes);
    EXPECT_THAT(folder_.FileNames(), UnorderedElementsAre("a.db", "other.db"));
  }
}

TEST_F(StudyTest, F15RefusesAStudyOfANewerVersionAndNamesBoth) {
  WriteSmallStudy();
  ASSERT_TRUE(ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite))
                  ->Execute("PRAGMA user_version = 12")
                  .ok());
  const std::string before = ReadBytes(path_);
  const Status status = OpenFailure(path_);
  EXPECT_EQ(status.code(), StatusCode::kVersionMismatch);
  EXPECT_THAT(status.message(), HasSubstr("version 12"));
  EXPECT_THAT(status.message(), HasSubstr("versions 1 to 2"));
  EXPECT_EQ(VerifyLog(path_).status().code(), StatusCode::kVersionMismatch);
  EXPECT_EQ(ReadBytes(path_), before);
}

TEST_F(StudyTest, F15RefusesATruncatedFile) {
  WriteSmallStudy();
  const std::string bytes = ReadBytes(path_);
  for (const std::size_t size : {std::size_t{100}, std::size_t{4096}, bytes.size() / 2,
                                 bytes.size() - 4096, bytes.size() - 1}) {
    WriteBytes(path_, bytes.substr(0, size));
    EXPECT_EQ(OpenFailure(path_).code(), StatusCode::kDataCorrupt) << size;
    EXPECT_EQ(ReadBytes(path_).size(), size);
  }
}

TEST(NetworkFileSystemNameTest, KnowsTheOnesThatCannotShareMemory) {
  EXPECT_EQ(NetworkFileSystemName(0x6969), "NFS");
  EXPECT_EQ(NetworkFileSystemName(0x01021997), "9P");
  EXPECT_EQ(NetworkFileSystemName(static_cast<std::int32_t>(0xFF534D42)), "CIFS");  // sign-extended
  EXPECT_EQ(NetworkFileSystemName(0xEF53), std::nullopt);                           // ext4
  EXPECT_EQ(NetworkFileSystemName(0x794c7630), std::nullopt);                       // overlayfs
}

}  // namespace
}  // namespace bitpilot

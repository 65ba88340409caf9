// A study on a store that is not SQLite: everything above the interface works there too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/study/event_chain.h"
#include "agent/study/journal.h"
#include "agent/study/study.h"
#include "tests/agent/memory_event_store.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

constexpr char kStoredConfig[] = R"({"model":"resnet8"})";

ProposalEvent ProposalAt(int step) {
  ProposalEvent event;
  event.step = step;
  event.choice = {4, 8};
  event.assignment_id = "id";
  event.origin = Origin::kRandom;
  return event;
}

class StoredStudyTest : public testing::Test {
 protected:
  std::unique_ptr<EventStore> Store() { return std::make_unique<MemoryEventStore>(log_); }
  std::unique_ptr<Study> Resume() { return ValueOrDie(Study::OpenForResume(Store())); }

  // What a search writes: who began, a decision, a measurement, a file.
  static void Fill(Study& study) {
    ASSERT_TRUE(AppendEvent(study, AgentEvent{"a test", "no solver"}).ok());
    Journal journal = ValueOrDie(Journal::Open(study, Journal::AtEnd::kRecord));
    ASSERT_TRUE(journal.Heartbeat().ok());
    ASSERT_TRUE(journal.Decide(ProposalAt(0)).ok());
    ASSERT_TRUE(journal.AppendRows({MeasuredRow("m1", 1e6), CrashedRow("m2")}).ok());
    ASSERT_TRUE(journal.PutArtifact({"abc", "checkpoint", "a.ckpt"}).ok());
  }
  void WriteStudy() {
    const auto study = ValueOrDie(Study::Create(Store(), kStoredConfig));
    Fill(*study);
    ASSERT_TRUE(study->Close().ok());
  }
  std::string Problem() {
    const std::optional<LogProblem> problem = ValueOrDie(VerifyLog(*Store()));
    return problem ? std::to_string(problem->seq) + ": " + problem->what : "";
  }

  std::shared_ptr<MemoryLog> log_ = std::make_shared<MemoryLog>();
};

TEST_F(StoredStudyTest, ALogThatCannotBeReadNowIsNotCalledDamaged) {
  WriteStudy();
  for (const StatusCode code : {StatusCode::kUnavailable, StatusCode::kPermissionDenied}) {
    log_->read_failure = Status(code, "the server is away");
    EXPECT_EQ(VerifyLog(*Store()).status().code(), code);
    const Status resumed = Study::OpenForResume(Store()).status();
    EXPECT_EQ(resumed.code(), code);
    EXPECT_THAT(resumed.message(), testing::Not(HasSubstr("damaged")));
  }
  log_->read_failure = DataCorrupt("a torn page");
  EXPECT_EQ(Problem(), "7: cannot be read: a torn page");
}

TEST_F(StoredStudyTest, ReturnsWhatWasWritten) {
  WriteStudy();
  const auto study = ValueOrDie(Study::OpenReadOnly(Store()));
  EXPECT_EQ(study->config_json(), kStoredConfig);
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 6u);
  EXPECT_EQ(ValueOrDie(study->Measurements()).size(), 2u);
  EXPECT_EQ(ValueOrDie(study->FindMeasurement("m2")).value().status, "CRASH");
  EXPECT_FALSE(ValueOrDie(study->FindMeasurement("m3")).has_value());
  EXPECT_EQ(ValueOrDie(study->Id()), log_->events[0].sha256);
  EXPECT_EQ(ValueOrDie(study->Head()).seq, 6);
  EXPECT_EQ(ValueOrDie(study->Runs()).at(0).exit_reason, "done");
  EXPECT_EQ(Problem(), "");
}

TEST_F(StoredStudyTest, F61ReplaysWhatItLogged) {
  WriteStudy();
  const auto study = Resume();
  Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
  EXPECT_TRUE(journal.replaying());
  EXPECT_TRUE(journal.Decide(ProposalAt(0)).ok());
  const auto measure = [] { return Result<std::vector<MeasurementRow>>(InvalidArgument("again")); };
  EXPECT_EQ(ValueOrDie(journal.ObserveMeasurements({"m1", "m2"}, measure)).size(), 2u);
  EXPECT_TRUE(ValueOrDie(journal.TakeArtifact()).has_value());
  EXPECT_TRUE(journal.recording());
}

TEST_F(StoredStudyTest, TheSameSearchHasTheSameContentInEveryStore) {
  WriteStudy();
  const StudyFolder folder;
  const auto on_disk = ValueOrDie(Study::Create(folder.Path("a.db"), kStoredConfig));
  Fill(*on_disk);
  EXPECT_EQ(ValueOrDie(Resume()->ContentHash()), ValueOrDie(on_disk->ContentHash()));
}

TEST_F(StoredStudyTest, RefusesWhatItHasAlready) {
  WriteStudy();
  const auto study = Resume();
  EXPECT_EQ(study->AppendMeasurement(MeasuredRow("m1", 2e6)).code(), StatusCode::kInvalidArgument);
  const MeasurementRow twice[] = {MeasuredRow("m3", 1e6), MeasuredRow("m3", 1e6)};
  EXPECT_EQ(study->AppendMeasurements(twice).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(study->PutArtifact("abc", "checkpoint", "a.ckpt").ok());
  EXPECT_EQ(ValueOrDie(study->Events()).size(), 6u);
  EXPECT_EQ(Study::Create(Store(), kStoredConfig).status().code(), StatusCode::kUnavailable);
}

TEST_F(StoredStudyTest, NamesTheFirstEventThatWasAltered) {
  WriteStudy();
  const MemoryLog untouched = *log_;
  const std::pair<std::function<void(MemoryLog&)>, const char*> edits[] = {
      {[](MemoryLog& log) { log.events[2].chained.event.payload += " "; }, "3: kind, payload"},
      {[](MemoryLog& log) { log.events[3].blobs[0].back() ^= 1; }, "4: measurement m1 was altered"},
      {[](MemoryLog& log) { log.events[3].blobs[0].pop_back(); }, "4: measurement m1 was altered"},
      {[](MemoryLog& log) { log.events[3].blobs.push_back(""); }, "4: measurement m1 was altered"},
      {[](MemoryLog& log) { log.events[4].blobs.clear(); }, "5: its measurement is missing"},
      {[](MemoryLog& log) { log.events.erase(log.events.begin() + 1); }, "2: is missing"},
      {[](MemoryLog& log) {
         log.events[0].chained.event.kind = "proposal";
         log.events[0].sha256 = EventSha256(log.events[0].chained);
       },
       "1: is no configuration"}};
  for (const auto& [edit, expected] : edits) {
    *log_ = untouched;
    edit(*log_);
    EXPECT_THAT(Problem(), testing::StartsWith(expected));
    EXPECT_EQ(Study::OpenForResume(Store()).status().code(), StatusCode::kDataCorrupt);
  }
}

TEST_F(StoredStudyTest, AStudyThatAnotherProcessTookIsNotWrittenAnyMore) {
  WriteStudy();
  const auto first = Resume();
  log_->now_ns += MemoryLog::kSilenceNs - 1;
  EXPECT_TRUE(first->Heartbeat().ok());
  log_->now_ns += MemoryLog::kSilenceNs - 1;
  EXPECT_EQ(Study::OpenForResume(Store()).status().code(), StatusCode::kUnavailable);
  log_->now_ns += 1;
  const auto second = Resume();
  EXPECT_EQ(first->Heartbeat().code(), StatusCode::kAborted);
  const Status appended = first->Append("proposal", "{}");
  EXPECT_EQ(appended.code(), StatusCode::kAborted);
  EXPECT_THAT(appended.message(), HasSubstr("another process"));
  EXPECT_EQ(first->AppendMeasurement(MeasuredRow("m3", 1e6)).code(), StatusCode::kAborted);
  EXPECT_EQ(first->Close().code(), StatusCode::kAborted);
  EXPECT_EQ(first->Close().code(), StatusCode::kAborted) << "still";
  EXPECT_TRUE(second->Append("proposal", "{}").ok());
  EXPECT_EQ(ValueOrDie(second->Events()).size(), 7u);
  EXPECT_EQ(Problem(), "");
}

TEST_F(StoredStudyTest, NothingIsObservedForAStudyThatAnotherProcessTook) {
  WriteStudy();
  const auto first = Resume();
  Journal journal = ValueOrDie(Journal::Open(*first, Journal::AtEnd::kRecord));
  while (journal.replaying()) {
    if (journal.next_kind() == ProposalEvent::kKind) {
      ASSERT_TRUE(journal.Take<ProposalEvent>().ok());
    } else if (journal.next_kind() == ArtifactEvent::kKind) {
      ASSERT_TRUE(journal.TakeArtifact().ok());
    } else {
      ASSERT_TRUE(journal.Take<MeasurementEvent>().ok());
    }
  }
  log_->now_ns += MemoryLog::kSilenceNs;
  const auto second = Resume();
  const auto rows =
      journal.ObserveMeasurements({"m3"}, []() -> Result<std::vector<MeasurementRow>> {
        ADD_FAILURE() << "measured in vain";
        return std::vector<MeasurementRow>{MeasuredRow("m3", 1e6)};
      });
  EXPECT_EQ(rows.status().code(), StatusCode::kAborted);
  const auto end = journal.Observe<EndEvent>([]() -> Result<EndEvent> {
    ADD_FAILURE() << "observed in vain";
    return EndEvent{"done"};
  });
  EXPECT_EQ(end.status().code(), StatusCode::kAborted);
}

}  // namespace
}  // namespace bitpilot

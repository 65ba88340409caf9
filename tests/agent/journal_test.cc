#include "agent/study/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

constexpr char kConfig[] = R"({"model":"resnet8"})";

ProposalEvent ProposalAt(int step, int width) {
  ProposalEvent event;
  event.step = step;
  event.choice = {width, 8};
  event.assignment_id = "id-" + std::to_string(width);
  event.reason = "test";
  event.origin = Origin::kRandom;
  return event;
}

TransitionEvent Answer(int step) {
  TransitionEvent answer;
  answer.step = step;
  answer.transition.choice = {4, 8};
  answer.transition.loss = 0.25;
  return answer;
}

class JournalTest : public testing::Test {
 protected:
  // Writes one proposal, one measurement and one transition.
  void Record() {
    Result<std::unique_ptr<Study>> study = Study::Create(path_, kConfig);
    ASSERT_TRUE(study.ok()) << study.status().message();
    Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kRecord);
    ASSERT_TRUE(journal.ok());
    EXPECT_TRUE(journal->recording());
    ASSERT_TRUE(journal->NoteAgent("bitpilot 1", "CBC 2").ok());
    ASSERT_TRUE(journal->Decide(ProposalAt(0, 4)).ok());
    ASSERT_TRUE(journal
                    ->ObserveMeasurements(
                        {"m-0"}, [] { return Result(std::vector{MeasuredRow("m-0", 1e5)}); })
                    .ok());
    ASSERT_TRUE(journal->Observe<TransitionEvent>([] { return Result(Answer(0)); }).ok());
    ASSERT_TRUE((*study)->Close().ok());
  }

  StudyFolder folder_;
  std::string path_ = folder_.Path("study.db");
};

TEST_F(JournalTest, AnswersFromTheLogWithoutObservingAgain) {
  Record();
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path_);
  ASSERT_TRUE(study.ok());
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
  ASSERT_TRUE(journal.ok());
  EXPECT_TRUE(journal->replaying());
  EXPECT_TRUE(journal->Decide(ProposalAt(0, 4)).ok());
  const auto never = []() -> Result<std::vector<MeasurementRow>> {
    ADD_FAILURE() << "measured during a replay";
    return Status(StatusCode::kInternal, "measured");
  };
  const auto rows = journal->ObserveMeasurements({"m-0"}, never);
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(rows->front().window_ns, MeasuredRow("m-0", 1e5).window_ns);
  const auto answer = journal->Observe<TransitionEvent>([]() -> Result<TransitionEvent> {
    ADD_FAILURE() << "trained during a replay";
    return Status(StatusCode::kInternal, "trained");
  });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->transition.loss, 0.25);
  EXPECT_EQ(journal->seq(), 5);  // config, agent, proposal, measurement, transition
}

TEST_F(JournalTest, NamesTheSeqOfADecisionThatDiffers) {
  Record();
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path_);
  ASSERT_TRUE(study.ok());
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
  ASSERT_TRUE(journal.ok());
  const Status status = journal->Decide(ProposalAt(0, 5));
  EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(status.message(), testing::HasSubstr("seq 3"));
}

TEST_F(JournalTest, ComparesAProposalsOriginAndNotItsReason) {
  Record();
  for (const bool same_origin : {true, false}) {
    Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path_);
    ASSERT_TRUE(study.ok());
    Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
    ASSERT_TRUE(journal.ok());
    ProposalEvent proposal = ProposalAt(0, 4);
    proposal.reason = "in other words";
    if (!same_origin) proposal.origin = Origin::kIntegerProgram;
    const Status status = journal->Decide(proposal);
    EXPECT_EQ(status.ok(), same_origin) << status.message();
    if (same_origin) continue;
    EXPECT_THAT(status.message(), testing::HasSubstr("/origin = \"random\""));
    EXPECT_THAT(status.message(), testing::HasSubstr("\"integer program\""));
  }
}

TEST_F(JournalTest, RecomputesWhatALoggedEventSays) {
  Record();
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path_);
  ASSERT_TRUE(study.ok());
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->Decide(ProposalAt(0, 4)).ok());
  ASSERT_TRUE(journal->ObserveMeasurements({"m-0"}, {}).ok());
  const auto answer = journal->Observe<TransitionEvent>({}, [](const TransitionEvent& logged) {
    TransitionEvent again = logged;
    again.transition.weight_bytes = 7;
    return Result(again);
  });
  ASSERT_FALSE(answer.ok());
  EXPECT_THAT(answer.status().message(), testing::HasSubstr("seq 5"));
  EXPECT_THAT(answer.status().message(), testing::HasSubstr("/weight_bytes = 7"));
}

TEST_F(JournalTest, RefusesALogOfOtherRules) {
  for (const int version : {1, kLogVersion - 1, kLogVersion + 1}) {
    const std::string path = folder_.Path(std::to_string(version) + ".db");
    Result<std::unique_ptr<Study>> study = Study::Create(path, kConfig);
    ASSERT_TRUE(study.ok());
    if (version == 1) {  // had no such event
      ASSERT_TRUE(AppendEvent(**study, EndEvent{"done"}).ok());
    } else {
      ASSERT_TRUE(AppendEvent(**study, AgentEvent{"bitpilot x", "CBC 2", version}).ok());
    }
    const Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
    ASSERT_FALSE(journal.ok());
    EXPECT_EQ(journal.status().code(), StatusCode::kVersionMismatch);
    EXPECT_THAT(journal.status().message(),
                testing::HasSubstr("version " + std::to_string(version)));
    EXPECT_THAT(journal.status().message(), testing::HasSubstr("bitpilot"));
  }
}

TEST_F(JournalTest, RefusesAnEventOfAnotherKind) {
  Record();
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path_);
  ASSERT_TRUE(study.ok());
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
  ASSERT_TRUE(journal.ok());
  EXPECT_EQ(journal->Decide(EndEvent{"done"}).code(), StatusCode::kDataCorrupt);
}

TEST_F(JournalTest, StopsAVerificationWhereTheLogEnds) {
  Record();
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path_);
  ASSERT_TRUE(study.ok());
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->Decide(ProposalAt(0, 4)).ok());
  ASSERT_TRUE(journal->ObserveMeasurements({"m-0"}, {}).ok());
  ASSERT_TRUE(journal->Observe<TransitionEvent>({}).ok());
  EXPECT_FALSE(journal->recording());
  EXPECT_TRUE(IsEndOfLog(journal->Decide(ProposalAt(1, 4))));
}

TEST_F(JournalTest, RecordsBehindWhatAResumeReplayed) {
  Record();
  {
    Result<std::unique_ptr<Study>> study = Study::OpenForResume(path_);
    ASSERT_TRUE(study.ok()) << study.status().message();
    Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kRecord);
    ASSERT_TRUE(journal.ok());
    ASSERT_TRUE(journal->Decide(ProposalAt(0, 4)).ok());
    ASSERT_TRUE(journal->ObserveMeasurements({"m-0"}, {}).ok());
    ASSERT_TRUE(journal->Observe<TransitionEvent>({}).ok());
    EXPECT_TRUE(journal->recording());
    ASSERT_TRUE(journal->Decide(ProposalAt(1, 3)).ok());
    ASSERT_TRUE((*study)->Close().ok());
  }
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path_);
  ASSERT_TRUE(study.ok());
  const auto events = (*study)->Events();
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 6U);
  EXPECT_EQ(events->back().kind, "proposal");
}

TEST_F(JournalTest, AppendsNothingIfObservingFails) {
  Result<std::unique_ptr<Study>> study = Study::Create(path_, kConfig);
  ASSERT_TRUE(study.ok());
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kRecord);
  ASSERT_TRUE(journal.ok());
  const auto answer = journal->Observe<TransitionEvent>(
      [] { return Result<TransitionEvent>(Status(StatusCode::kUnavailable, "board away")); });
  EXPECT_EQ(answer.status().code(), StatusCode::kUnavailable);
  EXPECT_EQ((*study)->Events()->size(), 1U);
}

TEST_F(JournalTest, KeepsTheLastPlaceThatAResumeNoted) {
  Record();
  Result<std::unique_ptr<Study>> study = Study::OpenForResume(path_);
  ASSERT_TRUE(study.ok());
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kRecord);
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE(journal->NotePlaces({{"data", "one"}, {"weights", "w"}}).ok());
  ASSERT_TRUE(journal->NoteClassChange("class").ok());
  ASSERT_TRUE(journal->NotePlaces({{"data", "two"}}).ok());
  EXPECT_EQ(ValueOrDie(NotedPlaces(**study)), (nlohmann::json{{"data", "two"}, {"weights", "w"}}));
  // They decide nothing.
  ASSERT_TRUE(journal->Decide(ProposalAt(0, 4)).ok());
}

}  // namespace
}  // namespace bitpilot

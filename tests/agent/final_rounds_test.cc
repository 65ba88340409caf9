// The end of a search on a board that is disturbed now and then.
#include "agent/results/final_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/standard_networks.h"
#include "tests/agent/scripted_board.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class NoticeCollector final : public SearchObserver {
 public:
  void OnPhase(const std::string&, int) override {}
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent&, double) override {
  }
  void OnNotice(const std::string& text) override { notices.push_back(text); }

  std::vector<std::string> notices;
};

class FinalRoundsTest : public testing::Test {
 protected:
  FinalRoundsTest() {
    const Topology topology = StandardTopology("resnet8").value();
    for (const int bits : {8, 4}) Add(UniformAssignment(topology, bits, bits));
    job_.prefix = "final";
    job_.networks = [this]() -> Result<std::vector<const Network*>> {
      std::vector<const Network*> networks;
      for (const Network& network : networks_) networks.push_back(&network);
      return networks;
    };
  }

  void Add(const BitAssignment& assignment) {
    networks_.push_back(RandomNetwork(StandardTopology("resnet8").value(), assignment, 1));
    job_.assignments.push_back(assignment);
  }
  // Seven networks in all.
  void AddFive() {
    const Topology topology = StandardTopology("resnet8").value();
    for (const int bits : {7, 6, 5, 3, 2}) Add(UniformAssignment(topology, bits, bits));
  }

  // Begins a study, measures on `board` and ends it. stored_: the study's measurements.
  Result<FinalRounds> Record(ScriptedBoard& board) {
    stored_.clear();
    job_.board = [&]() -> Result<Board*> { return &board; };
    auto study = BeginStudy(folder_.Path("study.db"));
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
    Result<FinalRounds> rounds = MeasureFinalRounds(job_, journal, observer_);
    EXPECT_TRUE(journal.Decide(EndEvent{"done"}).ok());
    for (const MeasurementRow& row : ValueOrDie(study->Measurements())) {
      stored_.push_back(row.measurement_id + " " + row.status);
    }
    EXPECT_TRUE(study->Close().ok());
    return rounds;
  }
  // From the log alone.
  Result<FinalRounds> Replay() {
    job_.board = []() -> Result<Board*> { return Unsupported("no board in a replay"); };
    auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("study.db")));
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kStop));
    Result<FinalRounds> rounds = MeasureFinalRounds(job_, journal, observer_);
    EXPECT_TRUE(journal.Decide(EndEvent{"done"}).ok()) << "the log must go on where it went on";
    return rounds;
  }

  StudyFolder folder_;
  std::vector<Network> networks_;
  FinalRoundsJob job_;
  NoticeCollector observer_;
  std::vector<std::string> stored_;
};

constexpr MeasureStatus kOk = MeasureStatus::kOk;
constexpr MeasureStatus kNoisy = MeasureStatus::kNoisy;

TEST_F(FinalRoundsTest, AreMeasuredOnceIfNothingDisturbsThem) {
  ScriptedBoard board({kOk});
  const FinalRounds rounds = ValueOrDie(Record(board));
  EXPECT_EQ(rounds.comparisons, 1);
  EXPECT_TRUE(observer_.notices.empty());
  EXPECT_THAT(stored_, ElementsAre("final-0 OK", "final-1 OK"));
}

TEST_F(FinalRoundsTest, AreMeasuredAgainAfterADisturbance) {
  ScriptedBoard board({kNoisy, kOk});
  const FinalRounds rounds = ValueOrDie(Record(board));
  EXPECT_EQ(rounds.comparisons, 2);
  EXPECT_EQ(rounds.latency.rows.front().status, "OK");
  EXPECT_EQ(rounds.latency.rows.front().latency_median_ns, 102'000.0);
  EXPECT_THAT(stored_, ElementsAre("final-0 NOISY", "final-1 NOISY", "final-again-2-0 OK",
                                   "final-again-2-1 OK"));
  EXPECT_THAT(observer_.notices,
              ElementsAre("the comparison was disturbed (network 0: latency stepped by 5.0 %); "
                          "measuring it again, 2 of at most 3"));
  const FinalRounds replayed = ValueOrDie(Replay());
  EXPECT_EQ(replayed.comparisons, 2);
  EXPECT_EQ(replayed.latency.rows.front().measurement_id, "final-again-2-0");
  EXPECT_EQ(observer_.notices.size(), 1U) << "a replay has nothing to wait for";
}

// A board that is judged meanwhile has rows of its own, before those of each comparison.
TEST_F(FinalRoundsTest, ReplayWhatStandsBetweenThem) {
  auto study = BeginStudy(folder_.Path("study.db"));
  Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
  ScriptedBoard board({kNoisy, kOk});
  int between = 0;
  job_.board = [&]() -> Result<Board*> {
    const std::string id = "between-" + std::to_string(++between);
    EXPECT_TRUE(journal.AppendRows({CrashedRow(id)}).ok());
    return &board;
  };
  ASSERT_EQ(ValueOrDie(MeasureFinalRounds(job_, journal, observer_)).comparisons, 2);
  ASSERT_TRUE(journal.Decide(EndEvent{"done"}).ok());
  ASSERT_TRUE(study->Close().ok());
  EXPECT_EQ(between, 2);

  auto stored = ValueOrDie(Study::OpenReadOnly(folder_.Path("study.db")));
  Journal logged = ValueOrDie(Journal::Open(*stored, Journal::AtEnd::kStop));
  job_.board = []() -> Result<Board*> { return Unsupported("no board in a replay"); };
  job_.take_between = [&]() -> Status {
    while (logged.NextMeasurementId().value_or("").starts_with("between-")) {
      BITPILOT_RETURN_IF_ERROR(logged.Take<MeasurementEvent>().status());
      --between;
    }
    return Status();
  };
  const Result<FinalRounds> rounds = MeasureFinalRounds(job_, logged, observer_);
  ASSERT_TRUE(rounds.ok()) << rounds.status().message();
  EXPECT_EQ(rounds->comparisons, 2);
  EXPECT_EQ(between, 0);
  EXPECT_TRUE(logged.Decide(EndEvent{"done"}).ok());
}

TEST_F(FinalRoundsTest, MeasureEnergyUntilItIsKnown) {
  for (const int known_from : {1, 2}) {
    SCOPED_TRACE(known_from);
    std::filesystem::remove(folder_.Path("study.db"));
    ScriptedBoard board({kNoisy, kNoisy, kOk});
    board.set_energy_from(known_from);
    job_.energy = true;
    for (const FinalRounds& rounds : {ValueOrDie(Record(board)), ValueOrDie(Replay())}) {
      EXPECT_EQ(rounds.comparisons, 3);
      EXPECT_EQ(rounds.energy.rows.front().measurement_id,
                known_from == 1 ? "final-0" : "final-again-2-0");
      EXPECT_TRUE(rounds.energy.rows.front().energy);
    }
    EXPECT_TRUE(board.jobs()[0].energy);
    EXPECT_EQ(board.jobs()[1].energy, known_from == 2);
    EXPECT_FALSE(board.jobs()[2].energy);
  }
}

TEST_F(FinalRoundsTest, StayNoisyAfterThreeDisturbances) {
  ScriptedBoard board({kNoisy, kNoisy, kNoisy});
  const FinalRounds rounds = ValueOrDie(Record(board));
  EXPECT_EQ(rounds.comparisons, kMaxComparisons);
  EXPECT_EQ(rounds.latency.rows.front().status, "NOISY");
  EXPECT_EQ(rounds.latency.rows.front().measurement_id, "final-again-3-0");
  EXPECT_EQ(ValueOrDie(Replay()).comparisons, kMaxComparisons);
}

TEST_F(FinalRoundsTest, AreNotRepeatedWhenTheCandidateFailed) {
  ScriptedBoard board({MeasureStatus::kCrash});
  EXPECT_EQ(ValueOrDie(Record(board)).comparisons, 1);
  EXPECT_THAT(stored_, ElementsAre("final-0 CRASH", "final-1 CRASH"));
}

// Uniform 8 bit is in every part; the members of the board's second part are 4, 5 and 6.
TEST_F(FinalRoundsTest, AreMeasuredInPartsThatTheBoardTakes) {
  AddFive();
  ScriptedBoard board({kOk, kOk});
  board.set_max_networks(4);
  const FinalRounds recorded = ValueOrDie(Record(board));
  ASSERT_EQ(board.jobs().size(), 2U);
  for (const MeasureJob& job : board.jobs()) {
    EXPECT_EQ(job.networks.size(), 4U);
    EXPECT_EQ(job.networks.front(), networks_.data());
  }
  EXPECT_EQ(board.jobs()[1].networks.back(), &networks_.back());
  EXPECT_THAT(stored_, ElementsAre("final-0 OK", "final-1 OK", "final-2 OK", "final-3 OK",
                                   "final-part-2-0 OK", "final-4 OK", "final-5 OK", "final-6 OK"));
  ASSERT_EQ(observer_.notices.size(), 1U);
  EXPECT_THAT(observer_.notices.front(), HasSubstr("all 7 networks"));
  EXPECT_THAT(observer_.notices.front(), HasSubstr("in 2 parts"));
  for (const FinalRounds& rounds : {recorded, ValueOrDie(Replay())}) {
    ASSERT_EQ(rounds.latency.rows.size(), 7U);
    EXPECT_THAT(rounds.latency.parts, ElementsAre(0, 0, 0, 0, 1, 1, 1));
    // The scripted board takes 1 us more a job: the ratio is to the part's own uniform 8 bit.
    EXPECT_EQ(rounds.latency.Uniform8Of(3).measurement_id, "final-0");
    EXPECT_EQ(rounds.latency.Uniform8Of(4).measurement_id, "final-part-2-0");
    EXPECT_EQ(rounds.latency.Uniform8Of(4).latency_median_ns,
              rounds.latency.rows[4].latency_median_ns);
    EXPECT_NE(rounds.latency.rows[0].latency_median_ns, rounds.latency.rows[4].latency_median_ns);
    EXPECT_EQ(rounds.comparisons, 1);
  }
}

TEST_F(FinalRoundsTest, AreMeasuredAgainIfOnePartIsDisturbed) {
  AddFive();
  ScriptedBoard board({kOk, kNoisy, kOk, kOk});
  board.set_max_networks(4);
  const FinalRounds recorded = ValueOrDie(Record(board));
  ASSERT_EQ(observer_.notices.size(), 2U);
  EXPECT_THAT(observer_.notices.back(),
              HasSubstr("disturbed (part 2: network 0: latency stepped by 5.0 %)"));
  for (const FinalRounds& rounds : {recorded, ValueOrDie(Replay())}) {
    EXPECT_EQ(rounds.comparisons, 2);
    EXPECT_EQ(rounds.latency.Verdict().status, "OK");
    EXPECT_EQ(rounds.latency.Uniform8Of(6).measurement_id, "final-again-2-part-2-0");
    EXPECT_EQ(rounds.latency.rows[6].measurement_id, "final-again-2-6");
  }
}

// Parts are stored one by one: a search that ended between two goes on with the second.
TEST_F(FinalRoundsTest, GoOnWithThePartThatIsMissing) {
  AddFive();
  ScriptedBoard board({kOk});
  board.set_max_networks(4);
  job_.board = [&]() -> Result<Board*> { return &board; };
  {
    auto study = BeginStudy(folder_.Path("study.db"));
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
    EXPECT_FALSE(MeasureFinalRounds(job_, journal, observer_).ok()) << "asked too often";
    ASSERT_TRUE(study->Close().ok());
  }
  {
    auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("study.db")));
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kStop));
    const auto verified = MeasureFinalRounds(job_, journal, observer_);
    ASSERT_FALSE(verified.ok());
    EXPECT_TRUE(IsEndOfLog(verified.status())) << verified.status().message();
  }
  ScriptedBoard second({kOk});
  second.set_max_networks(4);
  job_.board = [&]() -> Result<Board*> { return &second; };
  auto study = ValueOrDie(Study::OpenForResume(folder_.Path("study.db")));
  Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
  const FinalRounds rounds = ValueOrDie(MeasureFinalRounds(job_, journal, observer_));
  ASSERT_EQ(second.jobs().size(), 1U);
  EXPECT_EQ(second.jobs().front().networks.size(), 4U);
  EXPECT_THAT(rounds.latency.parts, ElementsAre(0, 0, 0, 0, 1, 1, 1));
}

// An older bitpilot went on after one comparison, whatever its verdict.
TEST_F(FinalRoundsTest, ReplayLogsThatHoldOneDisturbedComparison) {
  auto study = BeginStudy(folder_.Path("study.db"));
  Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
  ASSERT_TRUE(journal
                  .ObserveMeasurements(
                      {"final-0", "final-1"},
                      [] {
                        std::vector rows{MeasuredRow("final-0", 1e5), MeasuredRow("final-1", 1e5)};
                        for (auto& row : rows) row.status = "NOISY";
                        return Result(rows);
                      })
                  .ok());
  ASSERT_TRUE(journal.Decide(EndEvent{"done"}).ok());
  ASSERT_TRUE(study->Close().ok());
  const FinalRounds replayed = ValueOrDie(Replay());
  EXPECT_EQ(replayed.comparisons, 1);
  EXPECT_EQ(replayed.latency.rows.front().status, "NOISY");
}

}  // namespace
}  // namespace bitpilot

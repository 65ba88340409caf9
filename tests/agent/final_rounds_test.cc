// The end of a search on a board that is disturbed now and then.
#include "agent/search/final_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/standard_networks.h"
#include "tests/agent/scripted_board.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;

class NoticeCollector final : public SearchObserver {
 public:
  void OnPhase(const std::string&, int) override {}
  void OnProgress(int, const std::string&) override {}
  void OnStep(const ProposalEvent&, const TransitionEvent&, double, double) override {}
  void OnNotice(const std::string& text) override { notices.push_back(text); }

  std::vector<std::string> notices;
};

class FinalRoundsTest : public testing::Test {
 protected:
  FinalRoundsTest() {
    const Topology topology = StandardTopology("resnet8").value();
    for (const int bits : {8, 4}) {
      const BitAssignment assignment = UniformAssignment(topology, bits, bits);
      networks_.push_back(RandomNetwork(topology, assignment, 1));
      job_.assignments.push_back(assignment);
    }
    job_.prefix = "final";
    job_.networks = [this]() -> Result<std::vector<const Network*>> {
      return std::vector<const Network*>{networks_.data(), networks_.data() + 1};
    };
  }

  // Records on `board`.
  Result<FinalRounds> Record(ScriptedBoard& board) {
    job_.board = [&]() -> Result<Board*> { return &board; };
    auto study = ValueOrDie(Study::Create(folder_.Path("study.db"), R"({"model":"resnet8"})"));
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
  EXPECT_EQ(rounds.rows.front().status, "OK");
  EXPECT_EQ(rounds.rows.front().latency_median_ns, 102'000.0);
  EXPECT_THAT(stored_, ElementsAre("final-0 NOISY", "final-1 NOISY", "final-again-2-0 OK",
                                   "final-again-2-1 OK"));
  EXPECT_THAT(observer_.notices,
              ElementsAre("the comparison was disturbed (network 0: latency stepped by 5.0 %); "
                          "measuring it again, 2 of at most 3"));
  const FinalRounds replayed = ValueOrDie(Replay());
  EXPECT_EQ(replayed.comparisons, 2);
  EXPECT_EQ(replayed.rows.front().measurement_id, "final-again-2-0");
  EXPECT_EQ(observer_.notices.size(), 1U) << "a replay has nothing to wait for";
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
      EXPECT_EQ(rounds.energy_rows.front().measurement_id,
                known_from == 1 ? "final-0" : "final-again-2-0");
      EXPECT_TRUE(rounds.energy_rows.front().energy);
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
  EXPECT_EQ(rounds.rows.front().status, "NOISY");
  EXPECT_EQ(rounds.rows.front().measurement_id, "final-again-3-0");
  EXPECT_EQ(ValueOrDie(Replay()).comparisons, kMaxComparisons);
}

TEST_F(FinalRoundsTest, AreNotRepeatedWhenTheCandidateFailed) {
  ScriptedBoard board({MeasureStatus::kCrash});
  EXPECT_EQ(ValueOrDie(Record(board)).comparisons, 1);
  EXPECT_THAT(stored_, ElementsAre("final-0 CRASH", "final-1 CRASH"));
}

// An older bitpilot went on after one comparison, whatever its verdict.
TEST_F(FinalRoundsTest, ReplayLogsThatHoldOneDisturbedComparison) {
  auto study = ValueOrDie(Study::Create(folder_.Path("study.db"), R"({"model":"resnet8"})"));
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
  EXPECT_EQ(replayed.rows.front().status, "NOISY");
}

}  // namespace
}  // namespace bitpilot

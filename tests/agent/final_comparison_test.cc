// The table that ends a search, on a board whose verdicts a test chooses.
#include "agent/results/final_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/model/sample_data.h"
#include "agent/qat/integer_evaluation.h"
#include "kernels/base/network_file.h"
#include "kernels/base/standard_networks.h"
#include "tests/agent/scripted_board.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const ImageDataset& TestImages() {
  static const auto* images = new ImageDataset(LoadDataSplits("sample").value().test.Slice(0, 60));
  return *images;
}

class PhaseCollector final : public SearchObserver {
 public:
  void OnPhase(const std::string& name, int) override { phases.push_back(name); }
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent&, double) override {
  }
  void OnNotice(const std::string&) override {}
  std::vector<std::string> phases;
};

class FinalComparisonTest : public testing::Test {
 protected:
  FinalComparisonTest() : files_(folder_.Path("a.db")), test_(TestImages()) {
    problem_.topology = StandardTopology("resnet8").value();
    problem_.base = UniformAssignment(problem_.topology, 8, 8);
    problem_.uniform8 = {1e5, 0.4, 0.87};
    Add(FinalistRole::kUniform8, 0, 8, 0.870, TrainingStart::kTwin);
    Add(FinalistRole::kUniform4, 0, 4, 0.830, TrainingStart::kSearch);
    Add(FinalistRole::kFront, 1, 3, 0.850, TrainingStart::kSearch);
  }

  void Add(FinalistRole role, int number, int bits, double validation, TrainingStart start) {
    TrainedFinalist each;
    each.finalist = {role, number, UniformAssignment(problem_.topology, bits, bits), std::nullopt};
    networks_.push_back(RandomNetwork(problem_.topology, each.finalist.assignment, 7));
    each.network =
        ValueOrDie(files_.Put(StudyFileKind::kNetwork, SerializeNetwork(networks_.back())));
    each.validation_accuracy = validation;
    each.start = start;
    each.mini_batches = 120;
    each.final_batches = 20;
    finalists_.push_back(std::move(each));
  }

  Result<FinalEvent> Compare(Study& study, Journal::AtEnd at_end, const ComparisonParts& parts) {
    Journal journal = ValueOrDie(Journal::Open(study, at_end));
    return CompareFinalists(problem_, finalists_, {}, options_, parts, journal, files_, observer_);
  }

  // In a new study.
  FinalEvent Record(ScriptedBoard& board) {
    auto study = BeginStudy(folder_.Path("a.db"));
    FinalEvent final =
        ValueOrDie(Compare(*study, Journal::AtEnd::kRecord, {{{kOnlyClass, &board}}, &test_, {}}));
    EXPECT_TRUE(study->Close().ok());
    return final;
  }

  std::vector<Event> Logged(std::string_view kind) {
    auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
    std::vector<Event> events = ValueOrDie(study->Events());
    std::erase_if(events, [&](const Event& event) { return event.kind != kind; });
    return events;
  }

  StudyFolder folder_;
  StudyFiles files_;
  const ImageDataset& test_;
  SearchProblem problem_;
  std::vector<Network> networks_;
  std::vector<TrainedFinalist> finalists_;
  FinalOptions options_;
  PhaseCollector observer_;
};

TEST_F(FinalComparisonTest, ARowWithoutANetworkIsTheLastAndSaysWhy) {
  finalists_[1].network = {};
  finalists_[1].no_network_reason = "its weights diverged";
  ScriptedBoard board({MeasureStatus::kOk});
  const FinalEvent final = Record(board);
  ASSERT_EQ(final.rows.size(), 3U);
  EXPECT_EQ(final.rows[1].label, "front 1");
  EXPECT_TRUE(final.rows[1].ratio.has_value());
  EXPECT_EQ(final.rows[1].no_figures_reason, "");
  const FinalRow& row = final.rows[2];
  EXPECT_EQ(row.role, FinalistRole::kUniform4);
  EXPECT_EQ(row.no_figures_reason, "its weights diverged");
  EXPECT_FALSE(row.validation_accuracy || row.latency_median_ns || row.ratio || row.speed);
  EXPECT_EQ(row.test_total, 0);
  EXPECT_FALSE(row.budget_met);
  EXPECT_GT(row.weight_bytes, 0);
  auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  const auto verified = Compare(*study, Journal::AtEnd::kStop, {});
  ASSERT_TRUE(verified.ok()) << verified.status().message();
  EXPECT_EQ(ToJson(*verified), ToJson(final));
}

TEST_F(FinalComparisonTest, GivesEachRowItsRoleItsTrainingAndItsTestAccuracy) {
  ScriptedBoard board({MeasureStatus::kOk});
  const FinalEvent final = Record(board);
  ASSERT_EQ(final.rows.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const FinalRow& row = final.rows[i];
    const Evaluation evaluation = ValueOrDie(EvaluateInteger(networks_[i], test_));
    EXPECT_NEAR(row.test_accuracy, evaluation.accuracy, 1e-12) << row.label;
    EXPECT_EQ(row.test_total, 60);
    EXPECT_EQ(row.mini_batches, 120);
    EXPECT_EQ(row.final_batches, 20);
    EXPECT_EQ(row.validation_accuracy, finalists_[i].validation_accuracy);
    EXPECT_EQ(row.start, finalists_[i].start);
  }
  EXPECT_EQ(final.rows[0].role, FinalistRole::kUniform8);
  EXPECT_EQ(final.rows[2].label, "front 1");
  EXPECT_EQ(final.rows[0].paired_difference, 0.0);
  EXPECT_NEAR(final.rows[2].paired_difference,
              final.rows[2].test_accuracy - final.rows[0].test_accuracy, 1e-12);
  EXPECT_EQ(final.test_readings, 1);
  EXPECT_EQ(board.jobs().size(), 1U) << "all in one interleaved measurement";
}

TEST_F(FinalComparisonTest, JudgesABudgetOfAccuracyByValidationAfterTheFinalTraining) {
  problem_.budgets.min_accuracy = 0.85;
  ScriptedBoard board({MeasureStatus::kOk});
  const FinalEvent final = Record(board);
  EXPECT_FALSE(final.rows[1].budget_met);  // 0.83
  EXPECT_TRUE(final.rows[2].budget_met);   // 0.85, whatever the random network's test accuracy
}

TEST_F(FinalComparisonTest, AReplayGivesTheSameTableWithoutBoardOrImages) {
  ScriptedBoard board({MeasureStatus::kNoisy, MeasureStatus::kOk});
  const FinalEvent final = Record(board);
  auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  const FinalEvent again = ValueOrDie(Compare(*study, Journal::AtEnd::kStop, {}));
  EXPECT_EQ(ToJson(again), ToJson(final));
  EXPECT_EQ(final.comparisons, 2);
}

TEST_F(FinalComparisonTest, RegistersEachNetworkOnceAndRefusesAnother) {
  TrainedFinalist same = finalists_[1];  // a member of the front with the widths of uniform 4 bit
  same.finalist.role = FinalistRole::kFront;
  same.finalist.number = 2;
  finalists_.push_back(same);
  ScriptedBoard board({MeasureStatus::kOk});
  Record(board);
  EXPECT_EQ(Logged(ArtifactEvent::kKind).size(), 3U);
  auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  finalists_[2].network = NetworkFile(std::string(64, 'c'), "");
  const Status status = Compare(*study, Journal::AtEnd::kStop, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(status.message(), HasSubstr("which is no finalist's"));
}

// A search that is extended is compared again, under names of its own.
TEST_F(FinalComparisonTest, AnExtendedSearchReadsTheTestImagesAgainAndSaysSo) {
  ScriptedBoard board({MeasureStatus::kOk, MeasureStatus::kOk});
  Record(board);
  const auto compare_twice = [&](Journal& journal, const ComparisonParts& parts) {
    options_ = {};
    auto first =
        CompareFinalists(problem_, finalists_, {}, options_, parts, journal, files_, observer_);
    EXPECT_TRUE(first.ok()) << first.status().message();
    options_.reading = 2;
    for (const TrainedFinalist& each : finalists_) options_.registered.push_back(each.network);
    return CompareFinalists(problem_, finalists_, {}, options_, parts, journal, files_, observer_);
  };
  {
    auto study = ValueOrDie(Study::OpenForResume(folder_.Path("a.db")));
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
    const FinalEvent second =
        ValueOrDie(compare_twice(journal, {{{kOnlyClass, &board}}, &test_, {}}));
    EXPECT_EQ(second.test_readings, 2);
    EXPECT_EQ(second.rows[0].measurement_id, "final-extended-2-0");
    EXPECT_TRUE(study->Close().ok());
  }
  EXPECT_EQ(Logged(TestEvent::kKind).size(), 2U);
  auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kStop));
  EXPECT_TRUE(compare_twice(journal, {}).ok());
}

TEST_F(FinalComparisonTest, MeasuresOnTheWholeMachineUnderAnotherVerdict) {
  ScriptedBoard board({MeasureStatus::kOk});
  auto study = BeginStudy(folder_.Path("a.db"));
  ComparisonParts parts{{{kOnlyClass, &board}}, &test_, {}};
  parts.full_isa_board = []() -> Result<std::unique_ptr<Board>> {
    return std::unique_ptr<Board>(
        std::make_unique<ScriptedBoard>(std::deque<MeasureStatus>{MeasureStatus::kOk}));
  };
  const FinalEvent final = ValueOrDie(Compare(*study, Journal::AtEnd::kRecord, parts));
  ASSERT_TRUE(final.full_isa.has_value());
  ASSERT_EQ(final.full_isa->rows.size(), 3U);
  EXPECT_EQ(final.full_isa->rows[2].row, 2);
  EXPECT_THAT(observer_.phases,
              ElementsAre(HasSubstr("interleaved"), HasSubstr("full instruction set"),
                          HasSubstr("test images")));
}

TEST_F(FinalComparisonTest, AMachineWithNothingAboveTheBoardIsNotMeasuredAgain) {
  ScriptedBoard board({MeasureStatus::kOk});
  ComparisonParts parts{{{kOnlyClass, &board}}, &test_, {}};
  parts.full_isa_board = [] {
    return Result<std::unique_ptr<Board>>(InvalidArgument("nobody should ask for it"));
  };
  parts.board_has_full_isa = true;
  std::string recorded;
  {
    auto study = BeginStudy(folder_.Path("a.db"));
    const FinalEvent final = ValueOrDie(Compare(*study, Journal::AtEnd::kRecord, parts));
    EXPECT_FALSE(final.full_isa.has_value());
    recorded = ToJson(final);
    EXPECT_TRUE(study->Close().ok());
  }
  // A verification does not know the machine.
  auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  const auto verified =
      Compare(*study, Journal::AtEnd::kStop, {.full_isa_board = parts.full_isa_board});
  ASSERT_TRUE(verified.ok()) << verified.status().message();
  EXPECT_EQ(ToJson(*verified), recorded);
}

TEST_F(FinalComparisonTest, AMachineWithNothingAboveTheBoardStillReplaysWhatWasMeasuredOnIt) {
  ScriptedBoard board({MeasureStatus::kOk});
  ComparisonParts parts{{{kOnlyClass, &board}}, &test_, {}};
  parts.full_isa_board = []() -> Result<std::unique_ptr<Board>> {
    return std::unique_ptr<Board>(
        std::make_unique<ScriptedBoard>(std::deque<MeasureStatus>{MeasureStatus::kOk}));
  };
  std::string recorded;
  {
    auto study = BeginStudy(folder_.Path("a.db"));
    recorded = ToJson(ValueOrDie(Compare(*study, Journal::AtEnd::kRecord, parts)));
    EXPECT_TRUE(study->Close().ok());
  }
  auto study = ValueOrDie(Study::OpenReadOnly(folder_.Path("a.db")));
  parts.board_has_full_isa = true;
  EXPECT_EQ(ToJson(ValueOrDie(Compare(*study, Journal::AtEnd::kStop, parts))), recorded);
}

}  // namespace
}  // namespace bitpilot

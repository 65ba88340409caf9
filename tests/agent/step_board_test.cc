// A search's measurements on a board that stays disturbed, as they are stored and read back.
#include "agent/session/step_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/session/one_board.h"
#include "agent/study/measurement_rows.h"
#include "agent/study/step_ids.h"
#include "kernels/base/network_file.h"
#include "tests/agent/study_fixture.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

constexpr int kSteps = 20;

// Every measurement is NOISY, and the next one of its step is wider still. Device time is that of the
// windows: half a second for SCREEN's, and twice as long for windows twice as long.
class DisturbedBoard final : public Board {
 public:
  DisturbedBoard() {
    info_.name = "bench";
    info_.backend = "kernels";
  }
  const BoardInfo& info() const override { return info_; }
  Status StartMeasure(const MeasureJob& job) override {
    job_ = job;
    return Status();
  }
  Result<Measurement> FinishMeasure() override {
    Measurement measurement;
    measurement.status = MeasureStatus::kNoisy;
    measurement.detail = "other work";
    measurement.source = "measured";
    const int times = 1 << job_.window_doublings;
    measurement.duration_ms = 500.0 * times;
    ++measured_;
    if (times > 1) ++repeats_;
    for (std::size_t i = 0; i < job_.networks.size(); ++i) {
      NetworkMeasurement network;
      for (int window = 0; window < 9; ++window) {
        const double sign = window % 2 == 0 ? 1.0 : -1.0;
        network.window_ns.push_back(i == 0 ? 1e5 * (1.0 + 1e-4 * measured_ + sign * 0.001 * times)
                                           : 1e5);
      }
      network.window_cpu_ns = network.window_ns;
      const MedianInterval interval = SignTestInterval(network.window_ns);
      network.latency_median_ns = interval.median;
      network.latency_low_ns = interval.low;
      network.latency_high_ns = interval.high;
      network.confidence = interval.confidence;
      measurement.networks.push_back(std::move(network));
    }
    return measurement;
  }
  Result<Measurement> Measure(const MeasureJob&) override { return Unsupported("never asked"); }
  Result<std::vector<std::vector<float>>> Infer(const Network&,
                                                std::span<const std::uint8_t>) override {
    return Unsupported("never asked");
  }

  int measured() const { return measured_; }
  int repeats() const { return repeats_; }

 private:
  BoardInfo info_;
  MeasureJob job_;
  int measured_ = 0;
  int repeats_ = 0;
};

class StepBoardTest : public testing::Test {
 protected:
  void SetUp() override {
    study_ = BeginStudy(path_);
    journal_.emplace(ValueOrDie(Journal::Open(*study_, Journal::AtEnd::kRecord)));
    problem_.topology = network_.topology;
    uniform8_ = ValueOrDie(files_.Put(StudyFileKind::kNetwork, SerializeNetwork(network_)));
  }

  std::unique_ptr<StepBoard> Open(ClassBoards* boards) {
    return std::make_unique<StepBoard>(problem_, uniform8_, std::vector<ClassId>{kOnlyClass},
                                       boards, *journal_, files_);
  }
  // Until one of the steps that are under way is measured.
  void Finish(StepBoard& board) {
    while (true) {
      const Result<std::vector<StepBoard::Part>> measured = board.WaitForAnswers();
      ASSERT_TRUE(measured.ok()) << measured.status().message();
      if (!measured->empty()) return;
    }
  }
  void MeasureSteps(StepBoard& board, int first, int last) {
    for (int step = first; step < last; ++step) {
      const Status status = board.Start(step, kOnlyClass, AssignmentOf(network_), network_);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_NO_FATAL_FAILURE(Finish(board));
    }
  }
  // As a replay tells a board what the log holds.
  void NoteAll(StepBoard& board) {
    for (const Event& event : ValueOrDie(study_->Events())) {
      if (event.kind != MeasurementEvent::kKind) continue;
      board.NoteLogged(ValueOrDie(ParseEvent<MeasurementEvent>(event.payload)));
    }
  }
  static std::vector<ClassOutcome> Outcomes(const StepBoard& board) {
    std::vector<ClassOutcome> outcomes;
    for (int step = 0; step < kSteps; ++step) {
      outcomes.push_back(ValueOrDie(board.OutcomeOf(step, "board")));
    }
    return outcomes;
  }

  StudyFolder folder_;
  std::string path_ = folder_.Path("study.db");
  Network network_ = SmallNetwork();
  SearchProblem problem_;
  std::unique_ptr<Study> study_;
  std::optional<Journal> journal_;
  StudyFiles files_{path_};
  StoredFile uniform8_;
};

// 20 steps of half a second. Three measurements each, in windows twice and four times as long, would
// take seven times that.
TEST_F(StepBoardTest, RepeatsTakeAQuarterMoreAndOneRepeatAtMost) {
  DisturbedBoard disturbed;
  OneBoard one(disturbed, false);
  const auto board = Open(&one);
  MeasureSteps(*board, 0, kSteps);
  EXPECT_GE(disturbed.repeats(), 2);
  double seconds = 0.0;
  for (const ClassOutcome& outcome : Outcomes(*board)) {
    seconds += outcome.board_seconds;
    const auto& measured = std::get<Measured>(outcome.result);
    EXPECT_TRUE(measured.is_noisy);
    // The first is the narrowest: +-0.1 %.
    EXPECT_NEAR(measured.ratio_high - measured.ratio_low, 0.002, 1e-6);
  }
  EXPECT_GT(seconds, 0.5 * kSteps);
  EXPECT_LE(seconds, 0.5 * kSteps * 1.25 + 2.0);
}

// Which of a step's measurements were made, and which counted, follows from what is logged: the steps
// after it change nothing, nor does the order in which one asks.
TEST_F(StepBoardTest, AReplayDecidesAsTheSearchDid) {
  DisturbedBoard disturbed;
  OneBoard one(disturbed, false);
  const auto board = Open(&one);
  std::vector<ClassOutcome> as_answered;
  for (int step = 0; step < kSteps; ++step) {
    MeasureSteps(*board, step, step + 1);
    as_answered.push_back(ValueOrDie(board->OutcomeOf(step, "board")));
  }
  const auto replay = Open(nullptr);
  NoteAll(*replay);
  const ClassOutcome last = ValueOrDie(replay->OutcomeOf(kSteps - 1, "board"));
  EXPECT_EQ(last, as_answered.back());
  EXPECT_EQ(Outcomes(*replay), as_answered);
}

TEST_F(StepBoardTest, ASearchThatGoesOnHasTheBudgetThatItHad) {
  DisturbedBoard all_at_once;
  OneBoard one(all_at_once, false);
  MeasureSteps(*Open(&one), 0, kSteps);

  StudyFolder other;
  path_ = other.Path("study.db");
  journal_.reset();
  study_.reset();
  files_ = StudyFiles(path_);
  SetUp();
  DisturbedBoard before;
  OneBoard one_before(before, false);
  MeasureSteps(*Open(&one_before), 0, 7);
  DisturbedBoard after;
  OneBoard one_after(after, false);
  const auto resumed = Open(&one_after);
  NoteAll(*resumed);
  MeasureSteps(*resumed, 7, kSteps);
  EXPECT_EQ(before.measured() + after.measured(), all_at_once.measured());
  EXPECT_EQ(before.repeats() + after.repeats(), all_at_once.repeats());
}

// Boards of a class that answer in an order which a test chooses: the one asked last first, or last.
class LastFirstBoards final : public ClassBoards {
 public:
  bool oldest_first = false;

  Board& BoardOf(const ClassId&) override { return board_; }
  int Slots(const ClassId&) override { return kSteps; }
  int MaxStarted(const ClassId&) override { return kSteps; }
  bool SharesThisMachine() override { return false; }
  Result<MeasureNumber> Start(const ClassId& on, const MeasureJob& job) override {
    started_.insert(oldest_first ? started_.begin() : started_.end(), Asked{++last_, on, job});
    return last_;
  }
  Result<std::optional<ClassAnswer>> TakeAnswer() override { return std::optional<ClassAnswer>(); }
  Result<std::optional<ClassAnswer>> WaitForAnswer() override {
    const Asked asked = started_.back();
    started_.pop_back();
    BITPILOT_RETURN_IF_ERROR(board_.StartMeasure(asked.job));
    Result<Measurement> measurement = board_.FinishMeasure();
    if (!measurement.ok()) return measurement.status();
    const std::string name = asked.number % 2 == 0 ? "even" : "odd";
    return std::optional(ClassAnswer{.number = asked.number,
                                     .measurement = std::move(*measurement),
                                     .board = board_.info(),
                                     .board_name = name});
  }
  void GiveUp() override { started_.clear(); }

 private:
  struct Asked {
    MeasureNumber number;
    ClassId on;
    MeasureJob job;
  };
  DisturbedBoard board_;
  std::vector<Asked> started_;
  MeasureNumber last_ = 0;
};

// Twenty steps in flight at once: what each may repeat follows from the log alone, in whatever order
// boards answered.
TEST_F(StepBoardTest, AReplayOfStepsInFlightDecidesAsTheSearchDid) {
  LastFirstBoards boards;
  const auto board = Open(&boards);
  for (int step = 0; step < kSteps; ++step) {
    ASSERT_TRUE(board->Start(step, kOnlyClass, AssignmentOf(network_), network_).ok());
  }
  std::vector<int> order;
  while (board->is_measuring()) {
    for (const auto& [step, on] : ValueOrDie(board->WaitForAnswers())) order.push_back(step);
  }
  ASSERT_EQ(order.size(), static_cast<std::size_t>(kSteps));
  EXPECT_EQ(order.front(), kSteps - 1);
  const std::vector<ClassOutcome> as_answered = Outcomes(*board);
  EXPECT_THAT(as_answered, testing::Contains(testing::Field(&ClassOutcome::board, "odd")));
  EXPECT_THAT(as_answered, testing::Contains(testing::Field(&ClassOutcome::board, "even")));
  const auto replay = Open(nullptr);
  NoteAll(*replay);
  EXPECT_EQ(Outcomes(*replay), as_answered);
}

// Every first measurement is logged before any repeat is, and finds that none was measured.
TEST_F(StepBoardTest, RepeatsOfStepsInFlightTakeAQuarterMoreAndOneRepeatAtMost) {
  LastFirstBoards boards;
  boards.oldest_first = true;
  const auto board = Open(&boards);
  for (int step = 0; step < kSteps; ++step) {
    ASSERT_TRUE(board->Start(step, kOnlyClass, AssignmentOf(network_), network_).ok());
  }
  while (board->is_measuring()) ASSERT_TRUE(board->WaitForAnswers().ok());
  const std::vector<ClassOutcome> as_answered = Outcomes(*board);
  double seconds = 0.0;
  for (const ClassOutcome& outcome : as_answered) seconds += outcome.board_seconds;
  EXPECT_GT(seconds, 0.5 * kSteps);
  EXPECT_LE(seconds, 0.5 * kSteps * 1.25 + 2.0);
  const auto replay = Open(nullptr);
  NoteAll(*replay);
  EXPECT_EQ(Outcomes(*replay), as_answered);
}

// Rows of a log in which somebody put another measurement of uniform 8 bit beside a candidate, or a
// candidate's measurement on another class in its place.
TEST_F(StepBoardTest, BelievesNoRatioOfTwoBoardsNorOfAnotherClass) {
  DisturbedBoard disturbed;
  ASSERT_TRUE(disturbed.StartMeasure({.networks = {&network_, &network_}}).ok());
  const Measurement measurement = ValueOrDie(disturbed.FinishMeasure());
  const auto rows_of = [&](int step, const MeasuredOn& on) {
    return ToRows(measurement, Tier::kScreen, disturbed.info(),
                  {{StepId(step), AssignmentOf(network_)},
                   {Uniform8StepId(StepId(step)), AssignmentOf(network_)}},
                  on);
  };
  const auto board = Open(nullptr);
  const auto log = [&](const std::vector<MeasurementRow>& rows) {
    ASSERT_TRUE(journal_->AppendRows(rows).ok());
    for (const MeasurementRow& row : rows) board->NoteLogged(MeasurementEventOf(row));
  };
  log({rows_of(0, {kOnlyClass, "left"})[0], rows_of(0, {kOnlyClass, "left"})[1]});
  log({rows_of(1, {kOnlyClass, "left"})[0], rows_of(1, {kOnlyClass, "right"})[1]});
  log({rows_of(2, {kOnlyClass, "left"})[0], rows_of(2, {"another", "left"})[1]});
  log(rows_of(3, {"another", "left"}));
  const auto message_of = [&](int step) {
    return board->OutcomeOf(step, kOnlyClass).status().message();
  };
  EXPECT_THAT(message_of(0), testing::HasSubstr("does not hold measurement step-0-again-1"));
  EXPECT_THAT(message_of(1), testing::HasSubstr("were not measured together"));
  EXPECT_THAT(message_of(2), testing::HasSubstr("were not measured together"));
  EXPECT_THAT(message_of(3), testing::HasSubstr("is of class \"another\""));
}

// Two boards of a class that take turns; one is away from some measurement on.
class TwoBoards final : public ClassBoards {
 public:
  std::string gone;                // this board is
  bool all_gone = false;           // both, and nobody waits for them
  std::vector<std::string> asked;  // for what: "any", or a board's name
  std::vector<int> doublings;      // of the windows that each was asked for

  Board& BoardOf(const ClassId&) override { return board_; }
  int Slots(const ClassId&) override { return 1; }
  int MaxStarted(const ClassId&) override { return 1; }
  bool SharesThisMachine() override { return false; }
  Result<MeasureNumber> Start(const ClassId&, const MeasureJob& job) override {
    next_ = next_ == "left" ? "right" : "left";
    if (next_ == gone) next_ = next_ == "left" ? "right" : "left";
    return Ask("any", next_, job);
  }
  Result<MeasureNumber> StartOn(const ClassId&, const std::string& board,
                                const MeasureJob& job) override {
    return Ask(board, board, job);
  }
  Result<std::optional<ClassAnswer>> TakeAnswer() override { return std::optional<ClassAnswer>(); }
  Result<std::optional<ClassAnswer>> WaitForAnswer() override {
    if (all_gone && asked.back() == "any") {
      return std::optional(ClassAnswer{
          .number = last_, .failure = {StatusCode::kUnavailable, "class 'board' had no board"}});
    }
    if (all_gone || on_ == gone)
      return std::optional(ClassAnswer{.number = last_, .is_lost = true});
    BITPILOT_RETURN_IF_ERROR(board_.StartMeasure(job_));
    Result<Measurement> measurement = board_.FinishMeasure();
    if (!measurement.ok()) return measurement.status();
    return std::optional(ClassAnswer{.number = last_,
                                     .measurement = std::move(*measurement),
                                     .board = board_.info(),
                                     .board_name = on_});
  }
  void GiveUp() override {}

 private:
  Result<MeasureNumber> Ask(const std::string& what, const std::string& on, const MeasureJob& job) {
    asked.push_back(what);
    doublings.push_back(job.window_doublings);
    on_ = on;
    job_ = job;
    return ++last_;
  }
  DisturbedBoard board_;
  std::string next_ = "right";
  std::string on_;
  MeasureJob job_;
  MeasureNumber last_ = 0;
};

TEST_F(StepBoardTest, MeasuresAStepAgainOnTheBoardThatBeganWithIt) {
  TwoBoards boards;
  const auto board = Open(&boards);
  MeasureSteps(*board, 0, 10);
  std::map<std::string, std::set<std::string>> boards_of_steps;
  for (const Event& event : ValueOrDie(study_->Events())) {
    if (event.kind != MeasurementEvent::kKind) continue;
    const auto measurement = ValueOrDie(ParseEvent<MeasurementEvent>(event.payload));
    if (!IsStep(measurement.measurement_id)) continue;
    boards_of_steps[StepIdOf(measurement.measurement_id)].insert(measurement.board);
  }
  ASSERT_EQ(boards_of_steps.size(), 10U);
  for (const auto& [step, names] : boards_of_steps) EXPECT_EQ(names.size(), 1U) << step;
  EXPECT_GT(boards.asked.size(), 10U) << "some were repeated";
}

TEST_F(StepBoardTest, MeasuresAStepAnewOnAnotherBoardWhereTheFirstOneIsGone) {
  TwoBoards boards;
  const auto board = Open(&boards);
  ASSERT_TRUE(board->Start(0, kOnlyClass, AssignmentOf(network_), network_).ok());
  ASSERT_TRUE(ValueOrDie(board->WaitForAnswers()).empty()) << "it was NOISY, and is repeated";
  ASSERT_EQ(boards.asked, (std::vector<std::string>{"any", "left"}));
  boards.gone = "left";
  ASSERT_NO_FATAL_FAILURE(Finish(*board));
  EXPECT_EQ(boards.asked, (std::vector<std::string>{"any", "left", "any", "right"}));
  EXPECT_EQ(boards.doublings, (std::vector<int>{0, 1, 0, 1})) << "anew from the first on";
  const ClassOutcome outcome = ValueOrDie(board->OutcomeOf(0, kOnlyClass));
  EXPECT_EQ(outcome.board, "right");
  EXPECT_TRUE(std::holds_alternative<Measured>(outcome.result));
  EXPECT_EQ(outcome.board_seconds, 0.5 + 0.5 + 1.0) << "what the first one measured took its time";

  const auto replay = Open(nullptr);
  NoteAll(*replay);
  EXPECT_EQ(ValueOrDie(replay->OutcomeOf(0, kOnlyClass)), outcome);
  const MeasurementRow moved = ValueOrDie(journal_->LoggedRow("step-0-moved-1"));
  EXPECT_EQ(moved.tier, "SCREEN");
}

// A candidate that was begun, and is then predicted.
TEST_F(StepBoardTest, WhatIsMissingCostsTheTimeThatABoardTookForIt) {
  TwoBoards boards;
  const auto board = Open(&boards);
  ASSERT_TRUE(board->Start(0, kOnlyClass, AssignmentOf(network_), network_).ok());
  ASSERT_TRUE(ValueOrDie(board->WaitForAnswers()).empty()) << "it was NOISY, and is repeated";
  boards.all_gone = true;
  ASSERT_NO_FATAL_FAILURE(Finish(*board));
  const ClassOutcome outcome = ValueOrDie(board->OutcomeOf(0, kOnlyClass));
  EXPECT_TRUE(std::holds_alternative<BoardUnavailable>(outcome.result));
  EXPECT_EQ(outcome.board_seconds, 0.5);
}

// Over all processes of a search; what is measured does not count.
TEST_F(StepBoardTest, NoMoreIsMissingThanItsLimit) {
  TwoBoards boards;
  boards.all_gone = true;
  const auto begin = [&](StepBoard& board, int step) {
    return board.Start(step, kOnlyClass, AssignmentOf(network_), network_);
  };
  {
    const auto board = Open(&boards);
    board->LimitMissing(2);
    MeasureSteps(*board, 0, 2);
  }
  const auto board = Open(&boards);
  board->LimitMissing(2);
  for (const int step : {0, 1}) {
    board->NoteMissing({step, kOnlyClass, "class 'board' had no board"});
  }
  ASSERT_TRUE(begin(*board, 2).ok());
  const auto refused = board->WaitForAnswers();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(refused.status().message(), testing::HasSubstr("gone for 2 candidates"));

  boards.all_gone = false;
  const auto resumed = Open(&boards);
  resumed->LimitMissing(2);
  for (const int step : {0, 1}) {
    resumed->NoteMissing({step, kOnlyClass, "class 'board' had no board"});
  }
  ASSERT_NO_FATAL_FAILURE(MeasureSteps(*resumed, 2, 3));
  EXPECT_TRUE(
      std::holds_alternative<Measured>(ValueOrDie(resumed->OutcomeOf(2, kOnlyClass)).result));
}

// A log whose event claims another time than the row that it names.
TEST_F(StepBoardTest, BelievesNoSecondsThatAreNotTheRows) {
  DisturbedBoard disturbed;
  OneBoard one(disturbed, false);
  MeasureSteps(*Open(&one), 0, 1);
  const auto replay = Open(nullptr);
  for (const Event& event : ValueOrDie(study_->Events())) {
    if (event.kind != MeasurementEvent::kKind) continue;
    auto measurement = ValueOrDie(ParseEvent<MeasurementEvent>(event.payload));
    measurement.board_seconds *= 2.0;
    replay->NoteLogged(measurement);
  }
  const Result<ClassOutcome> outcome = replay->OutcomeOf(0, kOnlyClass);
  ASSERT_FALSE(outcome.ok());
  EXPECT_THAT(outcome.status().message(), testing::HasSubstr("are not those of its row"));
}

}  // namespace
}  // namespace bitpilot

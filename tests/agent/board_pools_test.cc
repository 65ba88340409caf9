// Boards of a class that come, go and measure: which of them a search takes, and what its log says of it.
#include "agent/session/board_pools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/standard_networks.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class NoticesObserver final : public SearchObserver {
 public:
  void OnPhase(const std::string& name, int) override { phases.push_back(name); }
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent&, double) override {
  }
  void OnNotice(const std::string& text) override { notices += text + "\n"; }
  std::string notices;
  std::vector<std::string> phases;
};

// A board as the fleet sees it, and what it answers.
struct ScriptedMember {
  ClassMember::State state = ClassMember::State::kWaits;
  double factor = 1.0;         // of all its latencies
  double narrow_factor = 1.0;  // of those of networks other than uniform 8 bit
  std::string machine = "one";
  MeasureStatus status = MeasureStatus::kOk;
  bool is_lost = false;   // while it measures
  int max_networks = 64;  // that it takes at once
};

class ScriptedClass final : public ClassBoards {
 public:
  std::map<std::string, ScriptedMember> members;
  std::vector<std::string> asked;           // boards, in the order of their measurements
  std::map<std::string, bool> judged;       // what each was told last
  std::map<std::string, std::string> whys;  // of those that were left out
  std::map<std::string, std::string> judged_machines;
  std::string preferred;

  Board& BoardOf(const std::string&) override { return board_; }
  int Slots(const std::string&) override { return 1; }
  int MaxStarted(const std::string&) override { return 1; }
  bool SharesThisMachine() override { return false; }
  Result<MeasureNumber> Start(const std::string&, const MeasureJob&) override {
    return Unsupported("never asked");
  }
  Result<MeasureNumber> StartOn(const std::string&, const std::string&,
                                const MeasureJob&) override {
    return Unsupported("never asked");
  }
  Result<MeasureNumber> StartToJudge(const std::string&, const std::string& board,
                                     const MeasureJob& job) override {
    asked.push_back(board);
    started_.push_back({++last_, board, job});
    return last_;
  }
  void GiveUpOne(MeasureNumber number) override {
    std::erase_if(started_, [&](const Started& one) { return one.number == number; });
  }
  std::vector<ClassMember> Members(const std::string&) override {
    std::vector<ClassMember> all;
    for (const auto& [name, member] : members) {
      all.push_back({name, member.state, InfoOf(member)});
    }
    return all;
  }
  void Judge(const std::string&, const ClassMember& board, bool is_pooled,
             const std::string& why) override {
    judged[board.name] = is_pooled;
    whys[board.name] = why;
    judged_machines[board.name] = board.info->name;
    members.at(board.name).state =
        is_pooled ? ClassMember::State::kWorks : ClassMember::State::kLeftOut;
  }
  void Prefer(const std::string&, const std::string& board) override {
    preferred = board_.name = board;
  }
  Result<std::optional<ClassAnswer>> TakeAnswer() override { return WaitForAnswer(); }
  Result<std::optional<ClassAnswer>> WaitForAnswer() override {
    if (started_.empty()) return std::optional<ClassAnswer>();
    const Started one = started_.front();
    started_.pop_front();
    const ScriptedMember& member = members.at(one.board);
    if (member.is_lost) return std::optional(ClassAnswer{.number = one.number, .is_lost = true});
    return std::optional(ClassAnswer{.number = one.number,
                                     .measurement = MeasurementOf(member, one.job),
                                     .board = InfoOf(member),
                                     .board_name = one.board});
  }
  void GiveUp() override { started_.clear(); }

 private:
  struct Started {
    MeasureNumber number;
    std::string board;
    MeasureJob job;
  };
  class NoBoard final : public Board {
   public:
    std::string name;
    const BoardInfo& info() const override { return info_; }
    std::string listed_name() const override { return name; }
    Result<std::vector<std::vector<float>>> Infer(const Network&,
                                                  std::span<const std::uint8_t>) override {
      return Unsupported("never asked");
    }
    Result<Measurement> Measure(const MeasureJob&) override { return Unsupported("never asked"); }
    Status StartMeasure(const MeasureJob&) override { return Unsupported("never asked"); }
    Result<Measurement> FinishMeasure() override { return Unsupported("never asked"); }

   private:
    BoardInfo info_;
  };

  static BoardInfo InfoOf(const ScriptedMember& member) {
    BoardInfo info;
    info.name = member.machine;
    info.backend = "kernels";
    info.limits.max_networks = member.max_networks;
    return info;
  }
  static Measurement MeasurementOf(const ScriptedMember& member, const MeasureJob& job) {
    Measurement measurement;
    measurement.status = member.status;
    measurement.source = "measured";
    measurement.duration_ms = 10'000.0;
    if (!HasNumbers(member.status)) measurement.detail = "it said so";
    for (std::size_t k = 0; HasNumbers(member.status) && k < job.networks.size(); ++k) {
      NetworkMeasurement network;
      const double saved = k == 0 ? 1.0 : member.narrow_factor - 0.05 * static_cast<double>(k);
      network.window_ns.assign(9, 1e5 * member.factor * saved);
      network.window_cpu_ns = network.window_ns;
      network.latency_median_ns = network.latency_low_ns = network.latency_high_ns =
          network.window_ns.front();
      measurement.networks.push_back(std::move(network));
    }
    return measurement;
  }

  NoBoard board_;
  std::deque<Started> started_;
  MeasureNumber last_ = 0;
};

class BoardPoolsTest : public testing::Test {
 protected:
  void SetUp() override {
    config_.classes = {"pi"};
    config_.weight_widths = config_.activation_widths = {2, 4, 8};
    study_ = BeginStudy(path_);
    times_.gather = times_.last_resort = times_.retry = milliseconds(0);
    Open(Journal::AtEnd::kRecord);
    for (const char* const name : {"a", "b", "c"}) boards_.members[name];
  }

  // A search's begin, or as a later process would go on; of a verification without boards.
  void Open(Journal::AtEnd at_end) {
    pools_.reset();
    journal_.emplace(ValueOrDie(Journal::Open(*study_, at_end)));
    const bool verifies = at_end == Journal::AtEnd::kStop;
    pools_.emplace(
        config_, topology_, verifies ? nullptr : &boards_, *journal_, observer_,
        [] { return false; }, times_);
  }
  void Settle() {
    const Status settled = pools_->Settle();
    ASSERT_TRUE(settled.ok()) << settled.message();
  }
  // As long as anything changes.
  void Run() {
    for (int i = 0; i < 20; ++i) {
      const Status stepped = pools_->Step();
      ASSERT_TRUE(stepped.ok()) << stepped.message();
      if (!pools_->is_measuring()) continue;
      auto answer = ValueOrDie(boards_.WaitForAnswer());
      ASSERT_TRUE(pools_->Take(std::move(*answer)).ok());
    }
  }
  std::vector<CalibrationEvent> Events() const {
    std::vector<CalibrationEvent> events;
    for (const Event& event : ValueOrDie(study_->Events())) {
      if (event.kind != CalibrationEvent::kKind) continue;
      events.push_back(ValueOrDie(ParseEvent<CalibrationEvent>(event.payload)));
    }
    return events;
  }
  void ExpectVerifies() {
    Open(Journal::AtEnd::kStop);
    Settle();
    EXPECT_FALSE(journal_->replaying()) << "all of it was read";
    Open(Journal::AtEnd::kRecord);
  }
  void Reboot() {
    for (auto& [name, member] : boards_.members) member.state = ClassMember::State::kWaits;
    boards_.judged.clear();
    boards_.asked.clear();
  }

  StudyFolder folder_;
  std::string path_ = folder_.Path("study.db");
  SearchConfig config_;
  Topology topology_ = StandardTopology("resnet8").value();
  NoticesObserver observer_;
  ScriptedClass boards_;
  BoardPoolTimes times_;
  std::unique_ptr<Study> study_;
  std::optional<Journal> journal_;
  std::optional<BoardPools> pools_;
};

TEST_F(BoardPoolsTest, PoolsBoardsThatAgreeAfterOneMeasurementEach) {
  boards_.members["b"].factor = 1.25;
  Settle();
  EXPECT_THAT(boards_.asked, ElementsAre("a", "b", "c"));
  EXPECT_THAT(boards_.judged, ElementsAre(testing::Pair("a", true), testing::Pair("b", true),
                                          testing::Pair("c", true)));
  ASSERT_EQ(Events().size(), 1U);
  const CalibrationEvent event = Events().front();
  EXPECT_EQ(event.on, "pi");
  EXPECT_EQ(event.networks, 8);
  EXPECT_EQ(event.board_seconds, 30.0);
  EXPECT_NEAR(event.boards[1].agreement->factor, 1.25, 1e-9);
  EXPECT_THAT(observer_.notices, HasSubstr("board 'b' agrees with 'a': 1.250 times its latency"));
  EXPECT_EQ(boards_.preferred, "a");
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, LeavesOutAndNamesTheBoardThatDiffers) {
  boards_.members["a"].narrow_factor = 1.3;
  Settle();
  EXPECT_FALSE(boards_.judged.at("a"));
  EXPECT_TRUE(boards_.judged.at("b"));
  EXPECT_TRUE(boards_.judged.at("c"));
  EXPECT_THAT(observer_.notices, HasSubstr("board 'a' is left out of class 'pi'"));
  EXPECT_THAT(boards_.whys.at("a"), HasSubstr("of uniform 8 bit's time, expected"));
  EXPECT_EQ(std::count(boards_.asked.begin(), boards_.asked.end(), "a"), kMaxCalibrations)
      << "it was measured again first";
  EXPECT_NE(boards_.preferred, "a") << "nor is the table its";
  ExpectVerifies();
}

// Networks that one of them could not take are compared by none; also a board that is measured later has
// the same ones.
TEST_F(BoardPoolsTest, BoardsThatTakeUnlikeNumbersOfNetworksAreComparedByTheFewest) {
  boards_.members["b"].max_networks = 6;
  boards_.members["c"].state = ClassMember::State::kAway;
  Settle();
  ASSERT_EQ(Events().size(), 1U);
  EXPECT_EQ(Events().front().networks, 4) << "eight in two parts, of which each has uniform 8 bit";
  EXPECT_THAT(boards_.judged, ElementsAre(testing::Pair("a", true), testing::Pair("b", true)));
  boards_.members["c"] = {};
  Run();
  EXPECT_TRUE(boards_.judged.at("c"));
  ExpectVerifies();
}

// The second one comes while the first is measured.
TEST_F(BoardPoolsTest, ABoardThatComesBeforeTheFirstAnswerIsComparedByAsManyNetworks) {
  boards_.members["a"].max_networks = 6;
  boards_.members["b"].state = boards_.members["c"].state = ClassMember::State::kAway;
  ASSERT_TRUE(pools_->Step().ok());
  boards_.members["b"].state = ClassMember::State::kWaits;
  Run();
  EXPECT_TRUE(boards_.judged.at("b"));
  EXPECT_EQ(Events().back().networks, 4);
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, AResumeMeasuresNothingAgain) {
  boards_.members["c"].narrow_factor = 1.3;
  Settle();
  Reboot();
  Open(Journal::AtEnd::kRecord);
  Settle();
  EXPECT_THAT(boards_.asked, IsEmpty());
  EXPECT_TRUE(boards_.judged.at("a"));
  EXPECT_FALSE(boards_.judged.at("c"));
  Run();
  EXPECT_EQ(Events().size(), 1U);
}

TEST_F(BoardPoolsTest, AResumeGoesOnWithWhatWasMeasuredAndNotJudged) {
  ASSERT_TRUE(pools_->Step().ok());
  auto answer = ValueOrDie(boards_.WaitForAnswer());
  ASSERT_TRUE(pools_->Take(std::move(*answer)).ok());
  Reboot();
  boards_.GiveUp();
  Open(Journal::AtEnd::kRecord);
  Settle();
  EXPECT_THAT(boards_.asked, ElementsAre("b", "c"));
  EXPECT_EQ(Events().size(), 1U);
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, ABoardThatComesLaterIsComparedWithTheReference) {
  boards_.members["c"].state = ClassMember::State::kAway;
  Settle();
  ASSERT_EQ(Events().size(), 1U);
  boards_.members["c"] = {};
  boards_.members["d"].narrow_factor = 1.3;
  Run();
  EXPECT_TRUE(boards_.judged.at("c"));
  EXPECT_FALSE(boards_.judged.at("d"));
  EXPECT_EQ(Events().back().reference, Events().front().reference);
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, AnotherMachineOfTheNameIsMeasuredAnew) {
  Settle();
  boards_.asked.clear();
  boards_.members["b"].machine = "another";
  boards_.members["b"].state = ClassMember::State::kWaits;
  EXPECT_EQ(boards_.judged_machines.at("b"), "one");
  Run();
  EXPECT_THAT(boards_.asked, ElementsAre("b"));
  EXPECT_EQ(boards_.judged_machines.at("b"), "another");
  EXPECT_EQ(Events().size(), 2U);
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, AClassGoesOnWithTheOnlyBoardThatIsLeftUntilAnotherIsBack) {
  boards_.members["c"].narrow_factor = 1.3;
  Settle();
  ASSERT_FALSE(boards_.judged.at("c"));
  boards_.members["a"].state = boards_.members["b"].state = ClassMember::State::kAway;
  Run();
  EXPECT_TRUE(boards_.judged.at("c"));
  EXPECT_TRUE(Events().back().is_last_resort);
  EXPECT_THAT(observer_.notices, HasSubstr("for want of another one"));

  boards_.members["b"].state = ClassMember::State::kWorks;
  Run();
  EXPECT_FALSE(boards_.judged.at("c"));
  EXPECT_FALSE(Events().back().is_last_resort);
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, ABoardThatIsLostMeanwhileIsAskedAgain) {
  boards_.members["b"].is_lost = true;
  ASSERT_TRUE(pools_->Step().ok());
  EXPECT_THAT(boards_.asked, ElementsAre("a")) << "by whose kernels the others run";
  while (pools_->is_measuring()) {
    auto answer = ValueOrDie(boards_.WaitForAnswer());
    ASSERT_TRUE(pools_->Take(std::move(*answer)).ok());
    if (boards_.asked.size() > 1) continue;
    ASSERT_TRUE(pools_->Step().ok());
  }
  ASSERT_THAT(boards_.asked, ElementsAre("a", "b", "c"));
  boards_.members["b"].is_lost = false;
  Run();
  EXPECT_TRUE(boards_.judged.at("b"));
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, ABoardThatCannotMeasureIsLeftOutAndNeverFatal) {
  boards_.members["a"].status = MeasureStatus::kCrash;
  boards_.members["b"].status = MeasureStatus::kWrongOutput;
  Settle();
  EXPECT_FALSE(boards_.judged.at("a"));
  EXPECT_FALSE(boards_.judged.at("b"));
  EXPECT_TRUE(boards_.judged.at("c"));
  EXPECT_THAT(boards_.whys.at("a"), HasSubstr("CRASH: it said so"));
  EXPECT_THAT(boards_.whys.at("b"), HasSubstr("WRONG_OUTPUT"));
  ExpectVerifies();
}

TEST_F(BoardPoolsTest, AVerificationFindsAJudgementThatTheWindowsDoNotGive) {
  boards_.members["c"].narrow_factor = 1.3;
  Settle();
  CalibrationEvent event = Events().front();
  study_ = BeginStudy(folder_.Path("forged.db"));
  std::unique_ptr<Study> honest = ValueOrDie(Study::OpenReadOnly(path_));
  for (const MeasurementRow& row : ValueOrDie(honest->Measurements())) {
    ASSERT_TRUE(study_->AppendMeasurement(row).ok());
  }
  event.boards[2].is_pooled = true;
  ASSERT_TRUE(study_->Append(std::string(CalibrationEvent::kKind), ToJson(event)).ok());
  Open(Journal::AtEnd::kStop);
  const Status verified = pools_->Settle();
  ASSERT_FALSE(verified.ok());
  EXPECT_EQ(verified.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(verified.message(), HasSubstr("/boards/2/is_pooled = true"));
}

TEST_F(BoardPoolsTest, AClassOfOneBoardNeedsNoComparison) {
  boards_.members.clear();
  Settle();
  EXPECT_THAT(boards_.asked, IsEmpty());
  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_THAT(pools_->Decisions(), IsEmpty());
}

}  // namespace
}  // namespace bitpilot

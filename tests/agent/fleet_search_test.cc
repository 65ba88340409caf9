// Searches over several boards: real daemons of model boards, one process, nothing trains. What boards
// answer comes in another order in every run; what a study says of it must not depend on that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "agent/cli/search_result.h"
#include "agent/device/local_daemon.h"
#include "agent/fleet/keys.h"
#include "agent/session/search_session.h"
#include "agent/study/calibration_event.h"
#include "agent/study/step_ids.h"
#include "policies/history_policy.h"
#include "tests/agent/small_search.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

// Daemons, and the fleet file that lists them.
class FleetSearchTest : public testing::Test {
 protected:
  void SetUp() override {
    keys_ = ValueOrDie(CreateAgentKeys(folder_.Path("keys"), /*overwrite=*/false));
    SearchConfig& config = search_.config;
    config.device.clear();
    config.fast = false;
    config.fleet = folder_.Path("fleet.toml");
    config.policy = "random";
    config.train_batches = 0;
    config.final_batches = 0;
    search_.fleet.move_after = milliseconds(200);
  }

  void StartBoard(const std::string& tag, const CostTable& table) {
    LocalDaemonOptions options;
    options.program = ValueOrDie(FindDaemonProgram());
    options.cost_table = FormatCostTable(table);
    options.fast = true;
    boards_.push_back({tag, ValueOrDie(LocalDaemon::Create(options, keys_.public_key))});
  }

  // Daemons that have ended are started again.
  void WriteFleet() {
    std::string text = "keys = \"keys\"\n";
    for (std::size_t i = 0; i < boards_.size(); ++i) {
      const BoardAddress address = ValueOrDie(boards_[i].daemon->Address());
      text += "[[board]]\nname = \"board-" + std::to_string(i) + "\"\nendpoint = \"" +
              address.endpoint + "\"\npublic_key = \"" + address.public_key + "\"\ntags = [\"" +
              boards_[i].tag + "\"]\n";
    }
    WriteBytes(search_.config.fleet, text);
  }

  void Kill(std::size_t board) { ASSERT_EQ(kill(boards_[board].daemon->pid(), SIGKILL), 0); }

  // Starts the study, or goes on with it, as a new process would.
  Result<SearchOutcome> Run() {
    Result<std::unique_ptr<Study>> study =
        std::filesystem::exists(path_) ? Study::OpenForResume(path_)
                                       : Study::Create(path_, ToJson(search_.config).dump());
    if (!study.ok()) return study.status();
    Result<std::unique_ptr<LiveParts>> parts = search_.FreshParts();
    if (!parts.ok()) return parts.status();
    Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kRecord);
    if (!journal.ok()) return journal.status();
    const StudyFiles files(path_);
    Result<SearchOutcome> outcome =
        SearchDriver(search_.config, *journal, files, parts->get(), search_.options).Run();
    const Status closed = (*study)->Close(outcome.ok() ? "done" : "failed");
    return closed.ok() ? std::move(outcome) : closed;
  }

  template <typename T>
  std::vector<T> EventsOf() const {
    std::vector<T> events;
    for (const Event& event : ValueOrDie(ValueOrDie(Study::OpenReadOnly(path_))->Events())) {
      if (event.kind == T::kKind) events.push_back(ValueOrDie(ParseEvent<T>(event.payload)));
    }
    return events;
  }

  // Of the steps' measurements.
  std::set<std::string> BoardsThatMeasured() const {
    std::set<std::string> boards;
    for (const MeasurementEvent& event : EventsOf<MeasurementEvent>()) {
      if (IsStep(event.measurement_id)) boards.insert(event.board);
    }
    return boards;
  }

  void ExpectVerifies() const {
    const Result<ReplayReport> replay = VerifyReplay(path_);
    ASSERT_TRUE(replay.ok()) << replay.status().message();
    EXPECT_TRUE(replay->complete);
    EXPECT_EQ(replay->decisions,
              search_.config.measurements / static_cast<int>(ClassesOf(search_.config).size()));
    EXPECT_EQ(Problem(path_), "");
  }

  struct TaggedBoard {
    std::string tag;
    std::unique_ptr<LocalDaemon> daemon;
  };

  StudyFolder folder_;
  SmallSearch search_{folder_};
  std::string path_ = folder_.Path("study.db");
  AgentKeys keys_;
  std::vector<TaggedBoard> boards_;
};

TEST_F(FleetSearchTest, MeasuresOnTwoBoardsOfAClassAndVerifies) {
  for (int i = 0; i < 2; ++i) StartBoard("slope", SlopeTable());
  WriteFleet();
  search_.config.classes = {"slope"};
  search_.config.measurements = 12;
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  ExpectVerifies();
  EXPECT_EQ(BoardsThatMeasured(), (std::set<std::string>{"board-0", "board-1"}));
  EXPECT_EQ(EventsOf<ConditionsEvent>().back().conditions.slots.at("slope"), 2);
  for (const TransitionEvent& event : EventsOf<TransitionEvent>()) {
    ASSERT_EQ(event.classes.size(), 1U);
    EXPECT_EQ(event.classes.front().on, "slope");
    EXPECT_THAT(event.classes.front().board, testing::StartsWith("board-"));
  }
}

// One is killed in the middle, then the search, then it goes on without that board.
TEST_F(FleetSearchTest, F61EightBoardsOfWhichOneIsKilledVerifyAndGoOn) {
  for (int i = 0; i < 8; ++i) StartBoard("slope", SlopeTable());
  WriteFleet();
  search_.config.measurements = 40;
  bool is_stopped = false;
  search_.options.stop = [&] { return is_stopped; };
  search_.observer.on_step = [&](const TransitionEvent&) {
    if (search_.observer.steps.size() == 8) Kill(3);
    is_stopped = search_.observer.steps.size() == 24;
  };
  const Result<SearchOutcome> stopped = Run();
  ASSERT_TRUE(stopped.ok()) << stopped.status().message();
  EXPECT_TRUE(stopped->interrupted);
  const Result<ReplayReport> so_far = VerifyReplay(path_);
  ASSERT_TRUE(so_far.ok()) << so_far.status().message();
  EXPECT_EQ(so_far->decisions, 24);

  is_stopped = false;
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(outcome->decisions, 40);
  ExpectVerifies();
  EXPECT_GE(BoardsThatMeasured().size(), 4U);
}

TEST_F(FleetSearchTest, LeavesOutAndNamesABoardUnlikeItsClass) {
  CostTable other = SlopeTable();
  other.name = "another";
  StartBoard("slope", other);
  StartBoard("slope", SlopeTable());
  WriteFleet();
  search_.config.classes = {"slope"};
  const std::unique_ptr<LiveParts> parts = ValueOrDie(search_.FreshParts());
  ClassBoards& boards = *parts->boards;
  const std::vector<ClassMember> members = boards.Members("slope");
  ASSERT_EQ(members.size(), 2U);
  for (const ClassMember& member : members) boards.Judge("slope", member, true, "");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (search_.observer.notices.find("left out") == std::string::npos &&
         std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(boards.TakeAnswer().ok());
  }
  EXPECT_THAT(search_.observer.notices, HasSubstr("is left out of class 'slope'"));
  EXPECT_THAT(search_.observer.notices, HasSubstr("backend is model:"));
  EXPECT_EQ(boards.Slots("slope"), 2) << "one board, and one candidate ahead";
}

// Alike by what they say of themselves. One is 1.5 times as slow whatever runs: its ratios are those of its
// class. One is slower where layers have fewer bits.
TEST_F(FleetSearchTest, LeavesOutTheBoardWhoseRatiosDifferAndFinishes) {
  CostTable slow = SlopeTable();
  CostTable odd = SlopeTable();
  slow.overhead_latency_ns *= 1.5;
  for (auto& [key, cost] : slow.operations) cost.latency_ns *= 1.5;
  for (auto& [key, cost] : odd.operations) {
    if (std::get<1>(key) < 8) cost.latency_ns *= 1.3;
  }
  StartBoard("slope", odd);
  StartBoard("slope", SlopeTable());
  StartBoard("slope", slow);
  StartBoard("slope", SlopeTable());
  WriteFleet();
  search_.config.classes = {"slope"};
  search_.config.measurements = 12;
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  ExpectVerifies();
  EXPECT_EQ(BoardsThatMeasured(), (std::set<std::string>{"board-1", "board-2", "board-3"}));
  EXPECT_EQ(EventsOf<ConditionsEvent>().back().conditions.slots.at("slope"), 3);
  EXPECT_THAT(search_.observer.notices, HasSubstr("board 'board-0' is left out of class 'slope'"));
  EXPECT_THAT(search_.observer.notices, HasSubstr("expected at most 1.0 %"));
  EXPECT_THAT(search_.observer.notices, HasSubstr("board 'board-2' agrees with 'board-1'"));

  const CalibrationEvent event = EventsOf<CalibrationEvent>().back();
  ASSERT_EQ(event.boards.size(), 4U);
  EXPECT_FALSE(event.boards[0].is_pooled);
  EXPECT_GT(event.boards[0].agreement->residual, kMaxResidual);
  EXPECT_TRUE(event.boards[2].is_pooled);
  EXPECT_NEAR(event.boards[2].agreement->factor, 1.5, 1e-3);
  const Json calibration =
      SearchResultLine(*outcome, path_).at("classes").at("slope").at("calibration");
  EXPECT_EQ(calibration.at("reference"), "board-1");
  EXPECT_EQ(calibration.at("boards")[0].at("board"), "board-0");
  EXPECT_FALSE(calibration.at("boards")[0].at("pooled").get<bool>());
  EXPECT_TRUE(calibration.at("boards")[2].at("pooled").get<bool>());
  for (const TransitionEvent& step : EventsOf<TransitionEvent>()) {
    EXPECT_NE(step.classes.front().board, "board-0");
  }
}

TEST_F(FleetSearchTest, TwoClassesHaveAFrontEachAndAJointOne) {
  StartBoard("steep", SlopeTable(0.0));
  StartBoard("steep", SlopeTable(0.0));
  StartBoard("flat", SlopeTable(3.0));
  WriteFleet();
  search_.config.classes = {"steep", "flat"};
  search_.config.measurements = 16;
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  ExpectVerifies();

  const FinalEvent& final = outcome->final;
  ASSERT_EQ(final.classes.size(), 2U);
  EXPECT_EQ(final.classes[0].on, "steep");
  EXPECT_EQ(final.classes[1].on, "flat");
  const std::vector<std::string>& phases = search_.observer.phases;
  for (const char* const tag : {"steep", "flat"}) {
    EXPECT_THAT(phases, testing::Contains(
                            HasSubstr("width on a board of class '" + std::string(tag) + "'")));
  }
  EXPECT_THAT(phases,
              testing::Contains("searching with " + search_.config.policy +
                                ": 16 measurements are 8 candidates on each of 2 classes 8"));
  for (const ClassFinal& one : final.classes) {
    EXPECT_FALSE(one.front.empty()) << one.on;
    ASSERT_EQ(one.rows.size(), final.rows.size());
    for (const FinalRow& row : one.rows) EXPECT_EQ(row.on, one.on);
  }
  for (std::size_t i = 0; i < final.rows.size(); ++i) {
    EXPECT_EQ(*final.rows[i].ratio,
              std::max(*final.classes[0].rows[i].ratio, *final.classes[1].rows[i].ratio))
        << final.rows[i].label;
  }
  for (const TransitionEvent& event : EventsOf<TransitionEvent>()) {
    EXPECT_EQ(event.classes.size(), 2U) << "each candidate on each class";
  }

  const Json line = SearchResultLine(*outcome, path_);
  EXPECT_EQ(line.at("objective"), "worst");
  EXPECT_FALSE(line.at("front").empty());
  for (const char* const tag : {"steep", "flat"}) {
    const Json& one = line.at("classes").at(tag);
    EXPECT_TRUE(one.at("reference").contains("w8a8")) << tag;
    ASSERT_FALSE(one.at("front").empty()) << tag;
    EXPECT_EQ(one.at("front")[0].at("class"), tag);
    EXPECT_THAT(one.at("front")[0].at("board").get<std::string>(), testing::StartsWith("board-"));
  }
}

// The only board that was judged is gone when the finalists are measured; another one of the class, which
// could not be reached before, has come.
TEST_F(FleetSearchTest, ABoardThatJoinsDuringTheFinalComparisonIsJudgedBeforeItMeasures) {
  StartBoard("slope", SlopeTable());
  StartBoard("slope", SlopeTable());
  WriteFleet();
  search_.config.classes = {"slope"};
  search_.config.measurements = 4;
  search_.fleet.max_wait = milliseconds(60'000);
  ASSERT_EQ(kill(boards_[1].daemon->pid(), SIGSTOP), 0);
  search_.observer.on_phase = [&](const std::string& name) {
    if (!name.starts_with("measuring the finalists again")) return;
    Kill(0);
    kill(boards_[1].daemon->pid(), SIGCONT);
  };
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(BoardsThatMeasured(), std::set<std::string>{"board-0"});
  for (const FinalRow& row : outcome->final.rows) EXPECT_EQ(row.board, "board-1") << row.label;
  const std::vector<CalibrationEvent> judged = EventsOf<CalibrationEvent>();
  ASSERT_EQ(judged.size(), 2U);
  ASSERT_EQ(judged.back().boards.size(), 1U);
  EXPECT_EQ(judged.back().boards.front().board, "board-1");
  EXPECT_TRUE(judged.back().boards.front().is_pooled);
  EXPECT_EQ(judged.back().reference, "board-0");
  ExpectVerifies();
}

// Predictions are labelled, cost no measurement, and end; what is left is measured by who goes on.
TEST_F(FleetSearchTest, PredictsWhatNoBoardIsLeftForWhereThatIsAskedFor) {
  constexpr int kMeasurements = 30;  // a policy gives up after fewer misses that nobody predicts
  StartBoard("slope", SlopeTable());
  WriteFleet();
  search_.config.classes = {"slope"};
  search_.config.measurements = kMeasurements;
  search_.fleet.max_wait = milliseconds(5000);
  search_.fleet.answers_missing = true;
  search_.observer.on_step = [&](const TransitionEvent&) {
    if (search_.observer.steps.size() == 2) Kill(0);
  };
  const Result<SearchOutcome> failed = Run();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(failed.status().message(), HasSubstr("--on-missing surrogate"));
  const auto count = [this](TransitionStatus status) {
    const std::vector<TransitionEvent> events = EventsOf<TransitionEvent>();
    return std::count_if(events.begin(), events.end(), [&](const TransitionEvent& event) {
      return event.transition.status == status;
    });
  };
  EXPECT_GT(count(TransitionStatus::kUnavailable), kMaxUnavailableInARow);
  EXPECT_LT(count(TransitionStatus::kMeasured), kMeasurements);
  EXPECT_TRUE(EventsOf<StopEvent>().empty());
  for (const TransitionEvent& event : EventsOf<TransitionEvent>()) {
    ASSERT_EQ(event.classes.size(), 1U);
    const auto* away = std::get_if<BoardUnavailable>(&event.classes.front().result);
    if (away == nullptr) continue;
    EXPECT_FALSE(event.transition.latency_ns);
    ASSERT_TRUE(away->predicted_ratio);
    EXPECT_GT(*away->predicted_ratio, 0.0);
    EXPECT_THAT(away->detail, HasSubstr("class 'slope'"));
    EXPECT_THAT(ToJson(event), HasSubstr(R"("status":"predicted")"));
  }
  const Result<ReplayReport> so_far = VerifyReplay(path_);
  ASSERT_TRUE(so_far.ok()) << so_far.status().message();

  search_.observer.on_step = {};
  WriteFleet();
  search_.fleet.max_wait.reset();
  search_.fleet.answers_missing = false;
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(count(TransitionStatus::kMeasured), kMeasurements);
  const Result<ReplayReport> replay = VerifyReplay(path_);
  ASSERT_TRUE(replay.ok()) << replay.status().message();
  EXPECT_TRUE(replay->complete);
}

// A resume goes on without any board of a class as the search would have.
TEST_F(FleetSearchTest, AResumePredictsForAClassThatHasNoBoardAtAll) {
  StartBoard("steep", SlopeTable(0.0));
  StartBoard("flat", SlopeTable(3.0));
  WriteFleet();
  search_.config.classes = {"steep", "flat"};
  search_.config.measurements = 16;
  std::size_t last_step = 2;
  bool is_stopped = false;
  search_.options.stop = [&] { return is_stopped; };
  search_.observer.on_step = [&](const TransitionEvent&) {
    is_stopped = search_.observer.steps.size() == last_step;
  };
  ASSERT_TRUE(Run().ok());
  const auto predicted = [this] {
    std::vector<std::string> on;
    for (const TransitionEvent& event : EventsOf<TransitionEvent>()) {
      for (const ClassOutcome& outcome : event.classes) {
        const auto* away = std::get_if<BoardUnavailable>(&outcome.result);
        if (away != nullptr && away->predicted_ratio) on.push_back(outcome.on);
      }
    }
    return on;
  };
  ASSERT_THAT(predicted(), testing::IsEmpty());

  Kill(1);
  for (const BoardEvent& board : EventsOf<BoardEvent>()) {
    search_.fleet.expected.emplace(board.on, board.board);
  }
  search_.fleet.max_wait = milliseconds(5000);
  is_stopped = false;
  const Result<SearchOutcome> refused = Run();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("class 'flat' has no board that works"));

  search_.fleet.answers_missing = true;
  search_.fleet.hear_all = milliseconds(1000);
  last_step = 5;
  const Result<SearchOutcome> without = Run();
  ASSERT_TRUE(without.ok()) << without.status().message();
  EXPECT_TRUE(without->interrupted);
  EXPECT_THAT(predicted(), testing::Each("flat"));
  EXPECT_THAT(predicted(), Not(testing::IsEmpty()));
  EXPECT_THAT(search_.observer.notices, HasSubstr("class 'flat' has no board now: 'board-1'"));
  const Result<ReplayReport> so_far = VerifyReplay(path_);
  ASSERT_TRUE(so_far.ok()) << so_far.status().message();

  is_stopped = false;
  last_step = 0;
  WriteFleet();
  search_.fleet.max_wait.reset();
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_FALSE(outcome->interrupted);
  EXPECT_TRUE(VerifyReplay(path_).ok());
}

// The other class goes on as far as its own trials go; the study is sound and goes on later.
TEST_F(FleetSearchTest, AClassWhoseBoardsAreGoneEndsAfterMaxWaitAndCanBeResumed) {
  StartBoard("steep", SlopeTable(0.0));
  StartBoard("flat", SlopeTable(3.0));
  WriteFleet();
  search_.config.classes = {"steep", "flat"};
  search_.config.measurements = 16;
  search_.fleet.max_wait = milliseconds(5000);
  search_.observer.on_step = [&](const TransitionEvent&) {
    if (search_.observer.steps.size() == 3) Kill(1);
  };
  const Result<SearchOutcome> failed = Run();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(failed.status().message(), HasSubstr("class 'flat'"));
  EXPECT_THAT(failed.status().message(), HasSubstr("board-1"));
  const Result<ReplayReport> so_far = VerifyReplay(path_);
  ASSERT_TRUE(so_far.ok()) << so_far.status().message();
  EXPECT_FALSE(so_far->complete);

  search_.observer.on_step = {};
  WriteFleet();
  search_.fleet.max_wait.reset();
  const Result<SearchOutcome> outcome = Run();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  ExpectVerifies();
}

}  // namespace
}  // namespace bitpilot

// A search whose process ends between a board's answer and its record: real daemons and real kernels, a
// study that takes no more events.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/device/local_daemon.h"
#include "agent/fleet/fleet_class_boards.h"
#include "agent/fleet/fleet_watch.h"
#include "agent/fleet/zmq_link.h"
#include "agent/session/one_board.h"
#include "agent/session/step_board.h"
#include "kernels/base/network_file.h"
#include "tests/agent/dying_study.h"
#include "tests/agent/study_fixture.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

// Of so many boards; one is held as a search on one board holds it.
class UnrecordedAnswersTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    setenv("XDG_CACHE_HOME", folder_.Path("cache").c_str(), /*overwrite=*/1);
    for (int i = 0; i < GetParam(); ++i) {
      LocalDaemonOptions options;
      options.program = ValueOrDie(FindDaemonProgram());
      daemons_.push_back(ValueOrDie(LocalDaemon::Create(options, keys_.public_key)));
      BoardAddress address = ValueOrDie(daemons_.back()->Address());
      address.name = "board-" + std::to_string(i);
      address.tags = {kOnlyClass};
      addresses_.push_back(std::move(address));
    }
    problem_.topology = network_.topology;
    uniform8_ = ValueOrDie(files_.Put(StudyFileKind::kNetwork, SerializeNetwork(network_)));
  }

  // One process of the agent, which measures step 0. Its study takes `events` more.
  Status RunProcess(std::unique_ptr<Study> study, std::size_t events) const {
    DyingStudy dying(std::move(study), events);
    Journal journal = ValueOrDie(Journal::Open(dying, Journal::AtEnd::kRecord));
    std::unique_ptr<Board> board;
    std::unique_ptr<ClassBoards> boards;
    if (addresses_.size() == 1) {
      board = ValueOrDie(ConnectBoard(addresses_.front(), keys_, {}));
      boards = std::make_unique<OneBoard>(*board, /*shares_this_machine=*/false);
    } else {
      FleetClassOptions options;
      options.hear_all = std::chrono::seconds(60);
      boards = ValueOrDie(OpenFleetClasses({addresses_, keys_}, {kOnlyClass}, options));
      for (const ClassMember& member : boards->Members(kOnlyClass)) {
        boards->Judge(kOnlyClass, member, /*is_pooled=*/true, "");
      }
    }
    StepBoard steps(problem_, uniform8_, {kOnlyClass}, boards.get(), journal, files_);
    for (const Event& event : ValueOrDie(dying.Events())) {
      if (event.kind != MeasurementEvent::kKind) continue;
      steps.NoteLogged(ValueOrDie(ParseEvent<MeasurementEvent>(event.payload)));
    }
    BITPILOT_RETURN_IF_ERROR(steps.Start(0, kOnlyClass, AssignmentOf(network_), network_));
    while (steps.is_measuring()) BITPILOT_RETURN_IF_ERROR(steps.WaitForAnswers().status());
    return dying.Close("done");
  }

  // Measurements that ended on the daemons, and what they keep of them.
  struct OnBoards {
    std::uint64_t finished = 0;
    std::uint64_t kept = 0;
  };
  OnBoards CountOnBoards() const {
    FleetWatch watch(addresses_, keys_);
    watch.AskAll({}, {}, {});
    OnBoards count;
    for (std::size_t i = 0; i < watch.size(); ++i) {
      EXPECT_TRUE(watch.View(i).status.ok()) << watch.View(i).status.message();
      const v1::BoardStatus board = watch.View(i).board.value_or(v1::BoardStatus());
      for (const v1::StatusCount& one : board.finished()) count.finished += one.count();
      count.kept += board.kept_results();
    }
    return count;
  }

  StudyFolder folder_;
  std::string path_ = folder_.Path("study.db");
  const AgentKeys keys_ = GenerateCurveKeys();
  std::vector<std::unique_ptr<LocalDaemon>> daemons_;
  std::vector<BoardAddress> addresses_;
  Network network_ = SmallNetwork();
  SearchProblem problem_;
  StudyFiles files_{path_};
  StoredFile uniform8_;
};

TEST_P(UnrecordedAnswersTest, ReachTheSearchThatGoesOnAndAreRecordedOnce) {
  const Status died = RunProcess(BeginStudy(path_), /*events=*/0);
  EXPECT_EQ(died.code(), StatusCode::kAborted) << died.message();
  EXPECT_EQ(CountOnBoards().finished, 1U);
  EXPECT_EQ(CountOnBoards().kept, 1U) << "acknowledged before it was recorded";

  const Status done = RunProcess(ValueOrDie(Study::OpenForResume(path_)), /*events=*/100);
  ASSERT_TRUE(done.ok()) << done.message();
  std::map<std::string, int> rows_of;  // by measure id
  const auto study = ValueOrDie(Study::OpenReadOnly(path_));
  for (const MeasurementRow& row : ValueOrDie(study->Measurements())) {
    const auto conditions = ValueOrDie(ParseEvent<MeasurementConditions>(row.conditions));
    EXPECT_EQ(conditions.measure_id.size(), 32U);
    ++rows_of[conditions.measure_id];
  }
  for (const auto& [id, rows] : rows_of) EXPECT_EQ(rows, 2) << "candidate and uniform 8 bit";
  EXPECT_GE(rows_of.size(), 1U);
  EXPECT_EQ(CountOnBoards().finished, rows_of.size()) << "one was measured twice";
  EXPECT_EQ(CountOnBoards().kept, 0U);
  EXPECT_EQ(Problem(path_), "");
}

INSTANTIATE_TEST_SUITE_P(Boards, UnrecordedAnswersTest, testing::Values(1, 2),
                         [](const testing::TestParamInfo<int>& boards) {
                           return boards.param == 1 ? "OfOne" : "OfTwo";
                         });

}  // namespace
}  // namespace bitpilot

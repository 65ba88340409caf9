// The product's own environment: the laws that hold of every environment, and what it keeps on the
// disk. ResNet-8 really trains, on a few images; a real bitpilotd answers for a model board.
#include "agent/session/search_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/session/board_pools.h"
#include "agent/session/problem_setup.h"
#include "agent/session/twin.h"
#include "agent/study/study_files.h"
#include "policies/reward.h"
#include "tests/agent/joining_boards.h"
#include "tests/agent/small_search.h"
#include "tests/policies/environment_conformance.h"

namespace bitpilot {
namespace {

// A search's environment with all that it borrows, as SearchDriver makes it.
class WholeEnvironment final : public Environment {
 public:
  // joining: its board is JoiningBoards.
  WholeEnvironment(SmallSearch& search, const std::string& study_path, bool joining = false)
      : search_(search), files_(study_path) {
    std::filesystem::create_directories(std::filesystem::path(study_path).parent_path());
    study_ = ValueOrDie(Study::Create(study_path, ToJson(search.config).dump()));
    journal_ =
        std::make_unique<Journal>(ValueOrDie(Journal::Open(*study_, Journal::AtEnd::kRecord)));
    parts_ = ValueOrDie(search.FreshParts());
    ClassBoards* boards = &parts_->BoardsOf(search.config);
    if (joining)
      boards =
          &joining_.emplace(*boards, /*shares_this_machine=*/true,
                            std::vector<JoiningBoards::Joining>{{.name = "second", .polls = 3}});
    const auto topology = FindModel(search.config.model)->topology;
    const auto never = [] { return false; };
    BoardPoolTimes times;
    times.gather = std::chrono::milliseconds(0);
    pools_ = std::make_unique<BoardPools>(search.config, topology, boards, *journal_,
                                          search.observer, never, times);
    EXPECT_TRUE(pools_->Settle().ok());
    setup_ = ValueOrDie(SetUpProblem(topology, search.config, parts_->resources(search.config),
                                     *journal_, files_, search.observer, never));
    training_ = std::make_unique<PlacedTraining>(search.config, setup_.problem.base, files_,
                                                 &*parts_->model, &parts_->images,
                                                 &parts_->calibration, never);
    const StoredFile start =
        training_->trains() ? ValueOrDie(training_->SaveStart()) : StoredFile{};
    const AnchorEvent twin =
        ValueOrDie(SettleTwin(search.config, setup_.problem, start, *training_, TwinCache(""),
                              *journal_, files_, search.observer));
    setup_.problem.anchor = twin.anchor;
    environment_ = std::make_unique<SearchEnvironment>(
        search.config, setup_.problem, start, setup_.uniform8, ValueOrDie(LossesOf(twin, files_)),
        boards, *pools_, *training_, *journal_, files_, never);
  }
  ~WholeEnvironment() override {
    environment_.reset();
    pools_.reset();
    search_.TakeBoard(*parts_);
  }

  const SearchProblem& problem() const override { return environment_->problem(); }
  Status Submit(const Action& action) override { return environment_->Submit(action); }
  std::optional<Observation> Next() override {
    std::optional<Observation> observation = environment_->Next();
    EXPECT_TRUE(environment_->status().ok()) << environment_->status().message();
    return observation;
  }
  void Keep(const std::vector<TicketId>& places) override { environment_->Keep(places); }

  const SearchEnvironment& product() const { return *environment_; }
  JoiningBoards& joining() { return *joining_; }
  const StudyFiles& files() const { return files_; }

 private:
  SmallSearch& search_;
  StudyFiles files_;
  std::unique_ptr<Study> study_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<LiveParts> parts_;
  std::optional<JoiningBoards> joining_;
  std::unique_ptr<BoardPools> pools_;
  ProblemSetup setup_;
  std::unique_ptr<PlacedTraining> training_;
  std::unique_ptr<SearchEnvironment> environment_;
};

class SearchEnvironmentTest : public testing::Test {
 protected:
  std::unique_ptr<WholeEnvironment> Make(bool joining = false) {
    return std::make_unique<WholeEnvironment>(
        search_, folder_.Path(std::to_string(++num_studies_)) + "/study.db", joining);
  }

  StudyFolder folder_;
  SmallSearch search_{folder_};
  int num_studies_ = 0;
};

TEST_F(SearchEnvironmentTest, KeepsEveryLawWhileTheNetworkTrains) {
  search_.config.measurements = 30;
  ASSERT_NO_FATAL_FAILURE(
      CheckEnvironmentConformance([&] { return Make(); }, {.num_actions = 25, .max_batches = 2}));
}

TEST_F(SearchEnvironmentTest, KeepsEveryLawWhereNothingTrains) {
  search_.config.measurements = 30;
  search_.config.train_batches = 0;
  ASSERT_NO_FATAL_FAILURE(
      CheckEnvironmentConformance([&] { return Make(); }, {.num_actions = 25, .max_batches = 0}));
}

// The twin's own weights: the same losses on every image, of which the difference is known exactly.
TEST_F(SearchEnvironmentTest, KnowsADifferenceToTheTwinBetterThanEitherLoss) {
  search_.config.measurements = 10;
  const std::unique_ptr<WholeEnvironment> environment = Make();
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  for (const int bits : {8, 4}) {
    Trial trial;
    trial.id = player.view().next_ticket();
    trial.what.choice = UniformChoice(environment->problem(), bits);
    ASSERT_NO_FATAL_FAILURE(player.Submit(trial));
    ASSERT_NO_FATAL_FAILURE(player.Next());
    const Scored& score = *player.outcomes().at(trial.id).score;
    ASSERT_TRUE(score.excess_error.has_value());
    const ExcessLoss excess = ExcessOf(environment->problem().anchor, score, 0);
    EXPECT_EQ(excess.error, *score.excess_error);
    if (bits == 8) {
      EXPECT_NEAR(excess.mean, 0.0, 1e-6);
      EXPECT_NEAR(excess.error, 0.0, 1e-6);
    } else {
      EXPECT_GT(excess.error, 0.0);
    }
    const double anchor_error = environment->problem().anchor.readings.front().loss_error;
    EXPECT_LT(excess.error, std::hypot(score.loss_error, anchor_error));
  }
}

// On this machine nothing is read meanwhile, and nothing unread is measured: there is but the comparison
// to wait for.
TEST_F(SearchEnvironmentTest, WaitsWhileABoardThatJoinsIsCompared) {
  search_.config.measurements = 10;
  const std::unique_ptr<WholeEnvironment> environment = Make(/*joining=*/true);
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  for (const int bits : {8, 4}) {
    if (bits == 4) environment->joining().Come("second");
    Trial trial;
    trial.id = player.view().next_ticket();
    trial.what.choice = UniformChoice(environment->problem(), bits);
    trial.classes = player.view().Classes();
    ASSERT_NO_FATAL_FAILURE(player.Submit(trial));
    ASSERT_NO_FATAL_FAILURE(player.Next());
    ASSERT_TRUE(player.outcomes().contains(trial.id));
  }
  EXPECT_EQ(environment->joining().num_waits(), 3);
  EXPECT_TRUE(environment->joining().Measures("second"));
}

// A network that is proposed again keeps its record: no board is asked, and no budget is charged.
TEST_F(SearchEnvironmentTest, F64ChargesNothingForWhatWasMeasuredBefore) {
  search_.config.measurements = 10;
  const std::unique_ptr<WholeEnvironment> environment = Make();
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  std::vector<ClassOutcome> answers;
  for (int i = 0; i < 2; ++i) {
    Trial trial;
    trial.id = player.view().next_ticket();
    trial.what.choice = UniformChoice(environment->problem(), 4);
    trial.classes = player.view().Classes();
    ASSERT_NO_FATAL_FAILURE(player.Submit(trial));
    ASSERT_NO_FATAL_FAILURE(player.Next());
    ASSERT_EQ(player.outcomes().at(trial.id).classes.size(), 1U);
    answers.push_back(player.outcomes().at(trial.id).classes[0]);
  }
  EXPECT_GT(answers[0].board_seconds, 0.0);
  EXPECT_EQ(answers[1].board_seconds, 0.0);
  EXPECT_EQ(answers[1].result, answers[0].result);
}

// What 8 bit loses on the same weights is not charged, but for the share of training at own widths.
TEST_F(SearchEnvironmentTest, ReadsEightBitOnWhatTrained) {
  search_.config.measurements = 10;
  const std::unique_ptr<WholeEnvironment> environment = Make();
  const SearchProblem& problem = environment->problem();
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  const auto read = [&](int bits, Place from, int batches) {
    Trial trial;
    trial.id = player.view().next_ticket();
    trial.what.choice = UniformChoice(problem, bits);
    trial.from = from;
    trial.train.batches = batches;
    player.Submit(trial);
    player.Next();
    return player.outcomes().at(trial.id);
  };
  EXPECT_FALSE(read(4, {0}, 0).score->same_weights) << "weights that never trained";
  const TrialOutcome narrow = read(4, {0}, 3);
  const Place place{narrow.id};
  player.Keep({narrow.id});
  ASSERT_TRUE(narrow.score->same_weights);
  EXPECT_EQ(narrow.score->same_weights->own_share, 1.0);
  const ExcessLoss excess = ExcessOf(problem.anchor, *narrow.score, 3);
  const ExcessLoss charge = ChargeOf(problem.anchor, *narrow.score, 3);
  EXPECT_NEAR(charge.mean, excess.mean, 1e-12);
  EXPECT_NEAR(charge.error, excess.error, 1e-12);

  // 8 bit itself on the same weights: what it lost is what training at 4 bits did.
  const TrialOutcome wide = read(8, place, 0);
  ASSERT_TRUE(wide.score->same_weights);
  EXPECT_EQ(wide.score->same_weights->loss, wide.score->loss);
  EXPECT_EQ(wide.score->same_weights->loss, narrow.score->same_weights->loss);
  EXPECT_EQ(wide.score->same_weights->own_share, 0.0);
  const ExcessLoss of_wide = ExcessOf(problem.anchor, *wide.score, 3);
  EXPECT_NE(of_wide.mean, 0.0);
  EXPECT_NEAR(ChargeOf(problem.anchor, *wide.score, 3).mean, kStays * of_wide.mean, 1e-12);
  EXPECT_NEAR(ChargeOf(problem.anchor, *wide.score, 3).error, kStays * of_wide.error, 1e-12);

  // 3 of 4 mini-batches were at 4 bits.
  EXPECT_EQ(read(4, place, 1).score->same_weights->own_share, 1.0);
  EXPECT_EQ(read(8, place, 1).score->same_weights->own_share, 0.0);
  const TrialOutcome back = read(4, Place{player.view().latest()}, 0);
  EXPECT_EQ(back.score->same_weights->own_share, 0.5);
}

// Networks that are compared as they were read: nothing will take back what other widths did to them.
TEST_F(SearchEnvironmentTest, ChargesAllOverTheTwinWhereNoFinalTrainingFollows) {
  search_.config.measurements = 10;
  search_.config.final_batches = 0;
  const std::unique_ptr<WholeEnvironment> environment = Make();
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  Trial trial;
  trial.id = player.view().next_ticket();
  trial.what.choice = UniformChoice(environment->problem(), 4);
  trial.train.batches = 1;
  ASSERT_NO_FATAL_FAILURE(player.Submit(trial));
  ASSERT_NO_FATAL_FAILURE(player.Next());
  EXPECT_FALSE(player.outcomes().at(trial.id).score->same_weights);
}

// Mini-batches that change nothing leave the loss as it was: both readings estimate batch norm, neither
// has the published statistics. What is left is the choice of step sizes.
TEST_F(SearchEnvironmentTest, ReadsTheStartAsItReadsWhatTrained) {
  search_.config.measurements = 10;
  search_.config.learning_rate = 0.0;
  const std::unique_ptr<WholeEnvironment> environment = Make();
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  std::vector<double> losses;
  for (const int batches : {0, 1}) {
    Trial trial;
    trial.id = player.view().next_ticket();
    trial.what.choice = UniformChoice(environment->problem(), 8);
    trial.train.batches = batches;
    ASSERT_NO_FATAL_FAILURE(player.Submit(trial));
    ASSERT_NO_FATAL_FAILURE(player.Next());
    losses.push_back(player.outcomes().at(trial.id).score->loss);
  }
  EXPECT_NEAR(losses[1], losses[0], 0.01);
  const double calibrated = environment->problem().uniform8.loss;
  EXPECT_GT(std::abs(losses[0] - calibrated), 0.05) << "the sample shall tell the two apart";
}

// At this rate every training diverges, and every place is the start again.
TEST_F(SearchEnvironmentTest, LeavesAPlaceAsItWasWhereTrainingDiverges) {
  search_.config.measurements = 10;
  const std::unique_ptr<WholeEnvironment> environment = Make();
  search_.config.learning_rate = 1e30;  // from the first ticket on
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  const Choice narrow = UniformChoice(environment->problem(), 4);
  for (const TicketId from : {0, 1}) {
    Trial trial;
    trial.id = from + 1;
    trial.what.choice = narrow;
    trial.from = {from};
    trial.train = {2, 1.0, 1.0};
    ASSERT_NO_FATAL_FAILURE(player.Submit(trial));
    ASSERT_NO_FATAL_FAILURE(player.Next());
    EXPECT_FALSE(player.outcomes().at(trial.id).score.has_value());
    EXPECT_EQ(environment->product().FileOf({trial.id}).file,
              environment->product().FileOf({0}).file);
    EXPECT_EQ(environment->product().FileOf({trial.id}).depth, 0);
  }
}

// What nobody may name any more is gone, what somebody may is there.
TEST_F(SearchEnvironmentTest, KeepsTheFilesOfThePlacesThatMayBeNamed) {
  search_.config.measurements = 10;
  const std::unique_ptr<WholeEnvironment> environment = Make();
  EnvironmentPlayer player(*environment);
  ASSERT_NO_FATAL_FAILURE(player.Next());
  std::vector<StoredFile> files;
  for (TicketId id = 1; id <= 5; ++id) {
    Trial trial;
    trial.id = id;
    trial.what.choice = UniformChoice(environment->problem(), id % 2 == 0 ? 4 : 8);
    trial.from = {id - 1};
    trial.train = {1, 1.0, 1.0};
    ASSERT_NO_FATAL_FAILURE(player.Submit(trial));
    ASSERT_NO_FATAL_FAILURE(player.Next());
    files.push_back(environment->product().FileOf({id}).file);
    if (id == 1) player.Keep({1});
  }
  const auto is_there = [&](TicketId id) {
    return environment->files().Get(files[static_cast<std::size_t>(id - 1)]).ok();
  };
  EXPECT_TRUE(environment->files().Get(environment->product().FileOf({0}).file).ok());
  EXPECT_TRUE(is_there(1)) << "the policy keeps it";
  EXPECT_FALSE(is_there(2));
  EXPECT_FALSE(is_there(3));
  EXPECT_TRUE(is_there(4));
  EXPECT_TRUE(is_there(5));
}

}  // namespace
}  // namespace bitpilot

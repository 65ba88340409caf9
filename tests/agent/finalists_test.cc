#include "agent/results/finalists.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <type_traits>
#include <vector>

#include "agent/results/front.h"
#include "agent/results/reportable_trials.h"
#include "agent/session/decision_variables.h"
#include "agent/session/search_resources.h"
#include "kernels/base/standard_networks.h"
#include "policies/random_stream.h"

namespace bitpilot {
namespace {

// What decides must have no way to the test images: only the final comparison is given them.
template <typename T>
concept HoldsTestImages = requires(T images) {
  images.test;
};
static_assert(!HoldsTestImages<std::remove_pointer_t<decltype(SearchResources::data)>>);
static_assert(!HoldsTestImages<SearchResources>);
static_assert(HoldsTestImages<DataSplits>);

class FinalistsTest : public testing::Test {
 protected:
  FinalistsTest() {
    problem_.topology = StandardTopology("resnet8").value();
    problem_.base = UniformAssignment(problem_.topology, 8, 8);
    problem_.variables = MakeDecisionVariables(problem_.topology, SearchConfig());
    problem_.uniform8 = {1000.0, 0.4, 0.87};
  }

  void AddStep(double accuracy, double latency_ratio, Origin origin,
               TransitionStatus status = TransitionStatus::kMeasured) {
    const int step = static_cast<int>(transitions_.size());
    TransitionEvent answer;
    answer.step = step;
    answer.transition.choice = Choice(problem_.variables.size(), 2 + step % 7);
    answer.transition.status = status;
    if (status == TransitionStatus::kMeasured)
      answer.transition.latency_ns = 1000.0 * latency_ratio;
    answer.transition.accuracy = accuracy;
    transitions_.push_back(answer);
    ProposalEvent proposal;
    proposal.step = step;
    proposal.choice = answer.transition.choice;
    proposal.origin = origin;
    proposals_.push_back(std::move(proposal));
  }

  std::vector<Finalist> Choose(bool with_uniform4 = true) const {
    return ChooseFinalists(problem_, proposals_, transitions_, program_, with_uniform4, {}, named_);
  }

  // Answers at these limits; that of the first one has 3 bits everywhere, the next ones 4, 5, ...
  void SetProgram(const std::vector<double>& limits) {
    program_.emplace();
    program_->fastest = Choice(problem_.variables.size(), 2);
    int width = 3;
    for (const double limit : limits) {
      program_->answers.push_back({limit, Choice(problem_.variables.size(), width++)});
    }
  }

  // Of the finalist that stands for the integer program.
  BitAssignment Rival() const {
    const std::vector<Finalist> finalists = Choose();
    EXPECT_EQ(finalists.at(2).role, FinalistRole::kIntegerProgram);
    EXPECT_FALSE(finalists.at(2).step.has_value());
    return finalists.at(2).assignment;
  }
  BitAssignment AllAt(int width) const {
    return ToAssignment(problem_, Choice(problem_.variables.size(), width));
  }

  SearchProblem problem_;
  std::vector<ProposalEvent> proposals_;
  std::vector<TransitionEvent> transitions_;
  std::optional<IntegerProgramAnswers> program_;
  std::vector<Choice> named_;
};

TEST_F(FinalistsTest, StartsWithTheReferencesAndTheBestIlpCandidate) {
  AddStep(0.80, 0.9, Origin::kIntegerProgram);
  AddStep(0.80, 0.6, Origin::kIntegerProgram);  // 0.3 x 0.9 is the larger area
  AddStep(0.85, 0.5, Origin::kFrontNeighbour);
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 4U);
  EXPECT_EQ(finalists[0].role, FinalistRole::kUniform8);
  EXPECT_EQ(finalists[1].role, FinalistRole::kUniform4);
  EXPECT_EQ(finalists[2].role, FinalistRole::kIntegerProgram);
  EXPECT_EQ(finalists[2].label(), "ilp start");
  EXPECT_EQ(finalists[3].role, FinalistRole::kFront);
  EXPECT_EQ(finalists[3].label(), "front 1");
  EXPECT_EQ(finalists[2].step, 1);
  EXPECT_EQ(finalists[3].step, 2);  // dominates everything else
}

TEST_F(FinalistsTest, LeaveUniform4BitOutWhereTheSearchHasNoSuchNetwork) {
  AddStep(0.85, 0.5, Origin::kFrontNeighbour);
  const std::vector<Finalist> finalists = Choose(/*with_uniform4=*/false);
  ASSERT_EQ(finalists.size(), 2U);
  EXPECT_EQ(finalists[0].role, FinalistRole::kUniform8);
  EXPECT_EQ(finalists[1].role, FinalistRole::kFront);
}

TEST_F(FinalistsTest, HaveTheIntegerProgramsAnswerAtTheBudgetWhereNoneWasMeasured) {
  SetProgram({0.4, 0.5, 0.6, 0.8});
  problem_.budgets.max_latency_ratio = 0.55;
  AddStep(0.85, 0.5, Origin::kFrontNeighbour);
  AddStep(0.99, 0.5, Origin::kIntegerProgram, TransitionStatus::kFailed);
  EXPECT_EQ(Rival(), AllAt(4));
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 4U);
  EXPECT_EQ(finalists[3].role, FinalistRole::kFront);
  EXPECT_EQ(finalists[3].number, 1);
}

TEST_F(FinalistsTest, CountTheAnswerAtTheBudgetItselfAsWithinIt) {
  SetProgram({0.4, 0.6 * (1.0 + 1e-15), 0.8});  // a rounding above it
  problem_.budgets.max_latency_ratio = 0.6;
  EXPECT_EQ(Rival(), AllAt(4));
}

TEST_F(FinalistsTest, HaveTheFastestChoiceWhereNoAnswerIsWithinTheBudget) {
  SetProgram({0.4, 0.5});
  problem_.budgets.max_latency_ratio = 0.3;
  EXPECT_EQ(Rival(), AllAt(2));
}

TEST_F(FinalistsTest, HaveTheMiddleAnswerWithoutABudget) {
  SetProgram({0.4, 0.5, 0.6, 0.8});
  EXPECT_EQ(Rival(), AllAt(4));
  SetProgram({0.4, 0.5, 0.6, 0.8, 1.0});
  EXPECT_EQ(Rival(), AllAt(5));
  SetProgram({1.0});
  EXPECT_EQ(Rival(), AllAt(3));
}

TEST_F(FinalistsTest, PreferAMeasuredAnswerToOneThatWasNotTried) {
  SetProgram({0.4, 0.5});
  AddStep(0.80, 0.6, Origin::kIntegerProgram);
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 4U);
  EXPECT_EQ(finalists[2].role, FinalistRole::kIntegerProgram);
  EXPECT_EQ(finalists[2].step, 0);
}

TEST_F(FinalistsTest, IgnoresFailedRejectedAndDivergedCandidates) {
  AddStep(0.99, 0.1, Origin::kIntegerProgram, TransitionStatus::kFailed);
  AddStep(0.99, 0.1, Origin::kIntegerProgram, TransitionStatus::kRejected);
  AddStep(0.99, 0.1, Origin::kIntegerProgram, TransitionStatus::kDiverged);
  AddStep(0.70, 0.8, Origin::kRandom);
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 3U);
  EXPECT_EQ(finalists[2].step, 3);
}

TEST_F(FinalistsTest, PrefersCandidatesThatKeepTheBudget) {
  problem_.budgets.max_latency_ratio = 0.7;
  AddStep(0.86, 0.9, Origin::kRandom);
  AddStep(0.80, 0.6, Origin::kRandom);
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 3U);
  EXPECT_EQ(finalists[2].step, 1);
}

TEST_F(FinalistsTest, ReportsTheClosestWhereNobodyKeepsTheBudget) {
  problem_.budgets.max_latency_ratio = 0.1;
  AddStep(0.86, 0.9, Origin::kRandom);
  EXPECT_EQ(Choose().size(), 3U);
}

TEST_F(FinalistsTest, ThinsALongFrontAndKeepsItsOrder) {
  for (int i = 0; i < 20; ++i) AddStep(0.60 + 0.01 * i, 0.5 + 0.02 * i, Origin::kRandom);
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 2 + kMaxFrontFinalists);
  for (std::size_t i = 3; i < finalists.size(); ++i) {
    EXPECT_EQ(finalists[i].number, static_cast<int>(i) - 1);
    EXPECT_GT(finalists[i].step, finalists[i - 1].step);
  }
}

TEST_F(FinalistsTest, HaveWhatThePolicyNamedThoughItWasReadWorse) {
  AddStep(0.70, 0.7, Origin::kPlanned);
  AddStep(0.85, 0.6, Origin::kPlanned);  // dominates it
  AddStep(0.71, 0.7, Origin::kPlanned);  // step 0's widths, read again
  transitions_[2].transition.choice = transitions_[0].transition.choice;
  named_ = {transitions_[0].transition.choice};
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 4U);
  EXPECT_EQ(finalists[2].step, 1);  // by ascending latency
  EXPECT_EQ(finalists[3].step, 2);  // where it was read lowest
  EXPECT_EQ(finalists[3].role, FinalistRole::kFront);
  EXPECT_EQ(finalists[3].number, 2);
}

TEST_F(FinalistsTest, GiveWayToWhatThePolicyNamed) {
  const auto choice = [&](int step) {  // of its own
    Choice widths(problem_.variables.size(), 2);
    widths[static_cast<std::size_t>(step) / 7] += step % 7;
    return widths;
  };
  for (int i = 0; i < 20; ++i) AddStep(0.60 + 0.01 * i, 0.5 + 0.02 * i, Origin::kPlanned);
  AddStep(0.30, 0.7, Origin::kPlanned);
  for (std::size_t i = 0; i < transitions_.size(); ++i) {
    transitions_[i].transition.choice = choice(static_cast<int>(i));
  }
  named_ = {choice(20)};
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 2 + kMaxFrontFinalists);
  EXPECT_TRUE(std::any_of(finalists.begin(), finalists.end(),
                          [](const Finalist& each) { return each.step == 20; }));
}

// Of two classes on which all is alike: what the table has of a class's front is listed there, though of a
// longer one it would have been thinned out.
TEST_F(FinalistsTest, AreOnTheFrontOfEveryClassWhoseFrontHoldsThem) {
  problem_.anchor.readings = {{.batches = 0, .loss = 0.4, .loss_error = 0.01, .error = 0.13}};
  for (int i = 0; i < 20; ++i) {
    const double ratio = 0.5 + 0.02 * i;
    AddStep(0.60 + 0.01 * i, ratio, Origin::kRandom);
    TransitionEvent& answer = transitions_.back();
    answer.score = Scored{0.5, 0.01, 600 + 10 * i, 1000};
    for (const char* on : {"a", "b"}) {
      answer.classes.push_back({on, Measured{ratio, ratio - 0.01, ratio + 0.01}, 1.0});
    }
  }
  const std::vector<Finalist> finalists =
      ChooseFinalists(problem_, proposals_, transitions_, program_, true, {"a", "b"});
  std::size_t on_the_joint_front = 0;
  for (const Finalist& each : finalists) {
    if (!IsFound(each.role)) {
      EXPECT_TRUE(each.fronts.empty());
      continue;
    }
    on_the_joint_front += each.role == FinalistRole::kFront ? 1 : 0;
    EXPECT_EQ(each.fronts, (std::vector<ClassId>{"a", "b"})) << each.label();
  }
  EXPECT_EQ(on_the_joint_front, kMaxFrontFinalists);
}

TEST(DecisionVariablesTest, LeavesTheEndsOutUnlessAskedFor) {
  const Topology topology = StandardTopology("resnet8").value();
  SearchConfig config;
  // 10 layers less first and last; 11 stored tensors less the input and the pooled tensor that the
  // last layer reads.
  EXPECT_EQ(MakeDecisionVariables(topology, config).size(), 8U + 9U);
  config.search_ends = true;
  EXPECT_EQ(MakeDecisionVariables(topology, config).size(), 10U + 10U);
}

TEST_F(FinalistsTest, KeepsTheSlowerCandidateThatNeedsLessEnergy) {
  problem_.energy_objective = EnergyObjective::kMeasured;
  AddStep(0.80, 0.5, Origin::kRandom);
  transitions_.back().transition.energy_ratio = 0.9;
  AddStep(0.80, 0.6, Origin::kRandom);
  transitions_.back().transition.energy_ratio = 0.6;
  AddStep(0.99, 0.1, Origin::kRandom);  // whose energy could not be measured
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 4U);
  EXPECT_EQ(finalists[2].step, 0);
  EXPECT_EQ(finalists[3].step, 1);
  EXPECT_NEAR(*MeasuredEnergyHypervolume(problem_, transitions_),
              0.3 * (1.0 * 0.6 + 0.9 * (1.5 - 0.6) - 0.9 * 0.6), 1e-12);
}

TEST_F(FinalistsTest, PrefersCandidatesThatKeepTheEnergyBudget) {
  problem_.energy_objective = EnergyObjective::kModel;
  problem_.budgets.max_energy_ratio = 0.7;
  AddStep(0.86, 0.5, Origin::kRandom);
  transitions_.back().transition.model_energy_ratio = 0.9;
  AddStep(0.80, 0.6, Origin::kRandom);
  transitions_.back().transition.model_energy_ratio = 0.6;
  const std::vector<Finalist> finalists = Choose();
  ASSERT_EQ(finalists.size(), 3U);
  EXPECT_EQ(finalists[2].step, 1);
}

TEST_F(FinalistsTest, HasNoVolumeWhereEnergyIsNoObjective) {
  AddStep(0.86, 0.5, Origin::kRandom);
  transitions_.back().transition.energy_ratio = 0.9;
  EXPECT_FALSE(MeasuredEnergyHypervolume(problem_, transitions_).has_value());
}

// What a search shows while it goes on is what a reader of its whole log would show, however many
// answers come between two looks.
TEST_F(FinalistsTest, KnowsAtEveryStepWhatAWholeLogWouldSay) {
  problem_.energy_objective = EnergyObjective::kMeasured;
  problem_.budgets.max_latency_ratio = 0.45;
  RandomStream random(1, "answers");
  ReportableTrials growing(problem_);
  for (int i = 0; i < 200; ++i) {
    const auto some = [&] { return 0.1 * (2 + random.NextIndex(12)); };  // many are equal
    AddStep(0.5 * some(), some(), i % 5 == 0 ? Origin::kIntegerProgram : Origin::kRandom,
            i % 7 == 0 ? TransitionStatus::kFailed : TransitionStatus::kMeasured);
    if (i % 11 != 0) transitions_.back().transition.energy_ratio = some();
    if (random.NextIndex(3) == 0) continue;
    growing.Take(proposals_, transitions_);
    ReportableTrials whole(problem_);
    whole.Take(proposals_, transitions_);
    EXPECT_EQ(growing.positions(), whole.positions()) << i;
    EXPECT_EQ(growing.front(), whole.front()) << i;
    EXPECT_EQ(growing.hypervolume(), MeasuredHypervolume(problem_, transitions_)) << i;
  }
  EXPECT_LT(growing.positions().size(), 60U) << "work that grows with the log";
}

}  // namespace
}  // namespace bitpilot

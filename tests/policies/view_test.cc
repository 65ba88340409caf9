#include "policies/view.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/policies/random_actions.h"
#include "tests/policies/small_problem.h"

namespace bitpilot {
namespace {

Candidate What(const Choice& choice) { return {choice, Origin::kRandom, "test"}; }

const Measured kHalf{.ratio = 0.5, .ratio_low = 0.5, .ratio_high = 0.5};

class ViewTest : public testing::Test {
 protected:
  void Allow(Totals totals, std::map<ClassId, int> slots = {{"a", 3}, {"b", 2}}) {
    view_.Observed(Conditions{std::move(slots), totals});
  }

  // Submits a trial of `batches` mini-batches; returns its ticket.
  TicketId Submit(const Choice& choice, TicketId from, int batches,
                  std::vector<ClassId> classes = {}) {
    const Trial trial{view_.next_ticket(), What(choice), {from}, {batches}, classes, 0};
    const Status status = view_.Check(trial);
    EXPECT_TRUE(status.ok()) << status.message();
    view_.Submitted(trial);
    return trial.id;
  }

  void Answer(TicketId id, int depth, std::vector<ClassOutcome> classes = {}) {
    view_.Observed(TrialOutcome{id, {depth, 0}, 0.5, Scored{1.0, 0.1, 5, 10}, std::move(classes)});
  }
  void Diverge(TicketId id, int depth) {
    view_.Observed(TrialOutcome{id, {depth, 0}, std::nullopt, std::nullopt, {}});
  }

  bool Allows(const Choice& choice, std::vector<ClassId> classes) {
    return view_.Check(Trial{view_.next_ticket(), What(choice), {}, {}, classes, 0}).ok();
  }

  SearchProblem problem_ = SmallProblem();
  View view_{problem_};
};

TEST_F(ViewTest, AllowsNothingBeforeConditions) {
  EXPECT_FALSE(Allows({8, 8}, {}));
  EXPECT_FALSE(view_.Check(Stop{}).ok());
  EXPECT_EQ(view_.measurements_left(), 0);
  EXPECT_TRUE(view_.Classes().empty());
  Allow({10, 100});
  EXPECT_TRUE(Allows({8, 8}, {}));
  EXPECT_TRUE(view_.Check(Stop{}).ok());
}

TEST_F(ViewTest, ChargesOneMeasurementAClassAndGivesBackWhatNoBoardMeasured) {
  Allow({10, 100});
  Submit({8, 8}, 0, 0, {"a", "b"});
  EXPECT_EQ(view_.measurements_left(), 8);
  Answer(1, 0, {{"a", kHalf}, {"b", BoardUnavailable{}}});
  EXPECT_EQ(view_.measurements_left(), 9);
  Submit({4, 4}, 0, 0, {"a"});
  Answer(2, 0, {{"a", CandidateFailed{}}});
  EXPECT_EQ(view_.measurements_left(), 8);
  ASSERT_EQ(view_.answered().size(), 2U);
  EXPECT_EQ(view_.answered()[1].trial.what.choice, (Choice{4, 4}));
}

TEST_F(ViewTest, ChargesNothingForWhatAClassHasMeasured) {
  Allow({2, 100});
  Submit({8, 8}, 0, 0, {"a"});
  EXPECT_EQ(view_.FindMeasured({8, 8}, "a"), nullptr);
  Answer(1, 0, {{"a", kHalf}});
  ASSERT_NE(view_.FindMeasured({8, 8}, "a"), nullptr);
  EXPECT_EQ(*view_.FindMeasured({8, 8}, "a"), kHalf);
  Submit({8, 8}, 0, 0, {"a", "b"});  // b has not
  EXPECT_EQ(view_.measurements_left(), 0);
  EXPECT_TRUE(Allows({8, 8}, {"a"}));
  EXPECT_FALSE(Allows({4, 8}, {"a"}));
  // What was free is not given back.
  Answer(2, 0, {{"a", BoardUnavailable{}}, {"b", BoardUnavailable{}}});
  EXPECT_EQ(view_.measurements_left(), 1);
}

TEST_F(ViewTest, CountsTheSlotsOfEachClass) {
  Allow({10, 100});
  EXPECT_EQ(view_.Classes(), (std::vector<ClassId>{"a", "b"}));
  Submit({8, 8}, 0, 0, {"a", "b"});
  Submit({8, 4}, 0, 0, {"b"});
  EXPECT_EQ(view_.FreeSlots("a"), 2);
  EXPECT_EQ(view_.FreeSlots("b"), 0);
  EXPECT_EQ(view_.FreeSlots("c"), 0);
  EXPECT_FALSE(Allows({4, 4}, {"b"}));
  Answer(1, 0, {{"a", kHalf}, {"b", kHalf}});
  EXPECT_EQ(view_.FreeSlots("b"), 1);
  Allow({10, 100}, {{"a", 0}, {"b", 1}});  // boards left
  EXPECT_EQ(view_.FreeSlots("b"), 0);
  EXPECT_EQ(view_.Classes(), (std::vector<ClassId>{"b"}));
  EXPECT_FALSE(Allows({8, 8}, {"a"}));
}

TEST_F(ViewTest, CountsMiniBatchesWhenTheyAreSubmitted) {
  Allow({10, 100});
  Submit({8, 8}, 0, 60);
  EXPECT_EQ(view_.mini_batches_left(), 40);
  EXPECT_EQ(view_.mini_batches_submitted(), 60);
  EXPECT_FALSE(view_.Check(Advance{2, What({8, 8}), {1}, {41}, 0}).ok());
  view_.Submitted(Advance{2, What({8, 8}), {1}, {40}, 0});
  Allow({10, 50});  // what was accepted stays accepted
  EXPECT_EQ(view_.mini_batches_left(), 0);
}

TEST_F(ViewTest, MeasuresNothingNewWhenTheBoardSecondsAreUsed) {
  Allow({10, 100, 5.0});
  Submit({8, 8}, 0, 0, {"a"});
  Answer(1, 0, {{"a", kHalf, 5.5}});
  EXPECT_EQ(view_.board_seconds_left(), -0.5);
  EXPECT_FALSE(Allows({4, 4}, {"a"}));
  EXPECT_TRUE(Allows({8, 8}, {"a"}));  // costs nothing
  EXPECT_TRUE(Allows({4, 4}, {}));
}

TEST_F(ViewTest, KnowsDepthAndWidthsOfPlacesAlsoOfUnansweredOnes) {
  Allow({10, 100});
  EXPECT_EQ(view_.WidthsAt({0}), nullptr);
  Submit({4, 4}, 0, 10);
  Submit({2, 4}, 1, 5);
  EXPECT_EQ(view_.latest(), Place{2});
  EXPECT_EQ(view_.DepthOf({2}), 15);
  EXPECT_EQ(*view_.WidthsAt({2}), (Choice{2, 4}));
  Submit({2, 2}, 1, 0);  // trains nothing
  EXPECT_EQ(view_.latest(), Place{2});
  EXPECT_EQ(view_.DepthOf({3}), 10);
  EXPECT_EQ(*view_.WidthsAt({3}), (Choice{4, 4}));
}

TEST_F(ViewTest, LeavesTheWeightsBeforeATrainingThatDiverged) {
  Allow({10, 100});
  Submit({4, 4}, 0, 10);
  Submit({2, 2}, 1, 5);
  Submit({2, 4}, 2, 3);
  Submit({8, 8}, 2, 0);
  EXPECT_EQ(view_.DepthOf({3}), 18);
  Diverge(2, 10);
  EXPECT_EQ(view_.DepthOf({2}), 10);
  EXPECT_EQ(*view_.WidthsAt({2}), (Choice{4, 4}));
  EXPECT_EQ(view_.DepthOf({3}), 13);
  EXPECT_EQ(view_.DepthOf({4}), 10);
  EXPECT_EQ(*view_.WidthsAt({4}), (Choice{4, 4}));
  EXPECT_EQ(view_.mini_batches_submitted(), 18);  // spent all the same
}

// 2 goes on from 1, 3 and 4 from 2; all but 3 diverge, and 1, which trained first, is answered last.
TEST_F(ViewTest, FollowsTrainingsThatDivergedToTheWeightsBeforeThem) {
  Allow({10, 100});
  Submit({4, 4}, 0, 10);
  Submit({2, 2}, 1, 5);
  Submit({2, 4}, 2, 3);
  Submit({8, 8}, 2, 2);
  Diverge(4, 0);
  Diverge(2, 0);
  EXPECT_EQ(view_.DepthOf({3}), 3);
  EXPECT_EQ(*view_.WidthsAt({4}), (Choice{4, 4}));  // as far as is known
  Diverge(1, 0);
  EXPECT_EQ(view_.WidthsAt({4}), nullptr);
  EXPECT_EQ(view_.WidthsAt({2}), nullptr);
  EXPECT_EQ(view_.DepthOf({4}), 0);
}

TEST_F(ViewTest, KeepsThePlacesThatMayStillBeNamed) {
  Allow({10, 100});
  for (int i = 1; i <= 5; ++i) Submit({8, 8}, i == 5 ? 1 : 0, 10);
  for (const TicketId id : {2, 3, 4}) Answer(id, 10);
  EXPECT_TRUE(view_.IsKept({0}));
  EXPECT_TRUE(view_.IsKept({1}));   // in flight
  EXPECT_FALSE(view_.IsKept({2}));  // the third last that was answered
  EXPECT_TRUE(view_.IsKept({3}));
  EXPECT_TRUE(view_.IsKept({4}));
  EXPECT_TRUE(view_.IsKept({5}));  // in flight
  EXPECT_FALSE(view_.IsKept({6}));
  view_.Keep({3});
  Answer(5, 20);
  Answer(1, 10);
  EXPECT_TRUE(view_.IsKept({3}));  // by the policy
  EXPECT_FALSE(view_.IsKept({4}));
  view_.Keep({});
  EXPECT_FALSE(view_.IsKept({3}));
  EXPECT_FALSE(view_.Check(Stop{{3}}).ok());
}

TEST_F(ViewTest, KeepsThePlaceThatTrainedLastAndThoseThatTicketsInFlightBeganFrom) {
  Allow({10, 100});
  for (int i = 0; i < 3; ++i) Submit({8, 8}, 0, 10);
  Submit({4, 4}, 1, 0);  // 4 reads at 1, and trains nothing
  for (const TicketId id : {3, 1, 2}) Answer(id, 10);
  EXPECT_EQ(view_.latest(), Place{3});
  EXPECT_TRUE(view_.IsKept({3}));
  EXPECT_TRUE(view_.IsKept({1}));
  Answer(4, 10);
  EXPECT_FALSE(view_.IsKept({1}));
  EXPECT_TRUE(view_.IsKept({3}));
  EXPECT_TRUE(view_.IsKept({4}));
}

TEST_F(ViewTest, AnswersAdvancesAndProbesWithoutCountingThemAsTrials) {
  Allow({10, 100});
  view_.Submitted(Advance{1, What({4, 4}), {0}, {10}, 0});
  view_.Submitted(Probe{2, {{2, 2}}, {1}});
  EXPECT_EQ(view_.in_flight().size(), 2U);
  view_.Observed(Probed{2, {0.1}});
  view_.Observed(Advanced{1, {10, 10}, 0.5});
  EXPECT_TRUE(view_.in_flight().empty());
  EXPECT_TRUE(view_.answered().empty());
  EXPECT_EQ(view_.DepthOf({1}), 10);
  EXPECT_EQ(view_.next_ticket(), 3);
  EXPECT_FALSE(view_.IsKept({2}));  // a probe leaves no place
}

TEST_F(ViewTest, RefusesEveryKindOfIllegalActionAndSaysWhy) {
  problem_.budgets.max_weight_bytes = 77'000;  // 74,480 at (2, 4)
  Allow({2, 100}, {{"a", 1}, {"b", 4}});
  for (int i = 1; i <= 4; ++i) {
    Submit({2, 2}, 0, 10);
    Answer(i, 10);
  }
  Submit({2, 4}, 0, 0, {"a", "b"});
  const auto illegal = IllegalActions(view_);
  EXPECT_GE(illegal.size(), 20U);
  for (const auto& [why, action] : illegal) {
    const Status status = view_.Check(action);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << why;
    EXPECT_FALSE(status.message().empty()) << why;
  }
  EXPECT_EQ(view_.Check(Trial{6, What({8, 8}), {}, {}, {}, 0}).message(),
            "ticket 6: its weights take 77360 bytes, the budget is 77000");
}

TEST_F(ViewTest, AllowsNothingAfterAStopUntilATotalIsRaised) {
  Allow({10, 100});
  Submit({8, 8}, 0, 10);
  view_.Submitted(Stop{{1}});
  EXPECT_EQ(view_.stopped_at(), Place{1});
  EXPECT_FALSE(Allows({8, 8}, {}));
  Answer(1, 10);
  Allow({10, 100}, {{"a", 9}});
  EXPECT_FALSE(Allows({8, 8}, {}));
  Allow({12, 100}, {{"a", 9}});
  EXPECT_TRUE(Allows({8, 8}, {"a"}));
  EXPECT_FALSE(view_.stopped_at().has_value());
  EXPECT_TRUE(view_.IsKept({1}));
}

TEST_F(ViewTest, TakesOnlyMeasuredNetworksAsFinalists) {
  Allow({10, 100});
  Submit({4, 8}, 0, 0, {"a"});
  EXPECT_FALSE(view_.Check(Stop{{}, {{4, 8}}}).ok());
  Answer(1, 0, {{"a", Measured{0.5, 0.5, 0.5}, 1.0}});
  EXPECT_TRUE(view_.Check(Stop{{}, {{4, 8}}}).ok());
  EXPECT_FALSE(view_.Check(Stop{{}, {{4, 8}, {8, 4}}}).ok());
  view_.Submitted(Stop{{}, {{4, 8}}});
  EXPECT_EQ(view_.finalists(), (std::vector<Choice>{{4, 8}}));
  Allow({12, 100});
  EXPECT_TRUE(view_.finalists().empty());
}

// A policy that decides several tickets ahead copies the view for each: that must not take longer the
// more was answered.
TEST_F(ViewTest, ACopySharesWhatWasAnsweredUntilOneOfThemObserves) {
  Allow({10, 100});
  Answer(Submit({8, 4}, 0, 2, {"a"}), 2, {{"a", kHalf}});
  const TicketId second = Submit({4, 4}, 1, 2, {"a"});
  View later = view_;
  EXPECT_EQ(&later.answered(), &view_.answered());
  later.Submitted(Trial{later.next_ticket(), What({4, 8}), {second}, {2}, {}, 0});
  EXPECT_EQ(&later.answered(), &view_.answered()) << "nothing was answered";
  Answer(second, 4, {{"a", kHalf}});
  EXPECT_EQ(view_.answered().size(), 2U);
  EXPECT_EQ(later.answered().size(), 1U);
  EXPECT_NE(view_.FindMeasured({4, 4}, "a"), nullptr);
  EXPECT_EQ(later.FindMeasured({4, 4}, "a"), nullptr);
  EXPECT_NE(later.FindMeasured({8, 4}, "a"), nullptr);
}

}  // namespace
}  // namespace bitpilot

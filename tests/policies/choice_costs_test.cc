#include "policies/choice_costs.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

class ChoiceCostsTest : public testing::Test {
 protected:
  void Serve(const std::vector<ClassId>& classes) {
    std::map<ClassId, int> slots;
    for (const ClassId& on : classes) slots[on] = 1;
    view_.Observed(Conditions{std::move(slots), Totals{.measurements = 10}});
  }

  TicketId Submit(std::vector<ClassId> classes) {
    const Trial trial{
        view_.next_ticket(), {four_, Origin::kRandom, "test"}, {}, {}, std::move(classes), 0};
    const Status status = view_.Check(trial);
    EXPECT_TRUE(status.ok()) << status.message();
    view_.Submitted(trial);
    return trial.id;
  }

  void Answer(TicketId id, const std::map<ClassId, double>& ratios) {
    std::vector<ClassOutcome> outcomes;
    for (const auto& [on, ratio] : ratios) {
      const Measured measured{
          .ratio = ratio, .ratio_low = ratio - 0.001, .ratio_high = ratio + 0.001};
      outcomes.push_back({on, measured, 1.0});
    }
    view_.Observed(TrialOutcome{id, {}, std::nullopt, Scored{1.0, 0.1, 5, 10}, outcomes});
  }

  ChoiceCosts Costs() {
    RandomStream random(1, "worlds");
    return {problem_, cost_, view_, surrogate_, random};
  }

  const SyntheticEnvironment environment_{{.max_measurements = 10}};
  SearchProblem problem_ = environment_.problem();
  const CostModel cost_ = CostModel::Create(problem_).value();
  const Surrogate surrogate_{problem_, cost_, {}};
  const Choice four_ = UniformChoice(problem_, 4);
  View view_{problem_};
};

TEST_F(ChoiceCostsTest, PredictsAroundTheTableWhatNoBoardMeasured) {
  const ChoiceCosts costs = Costs();
  EXPECT_FALSE(costs.IsMeasured(four_));  // by no class at all
  const TargetCost predicted = costs.Of(four_);
  EXPECT_GT(predicted.latency_deviation, 0.0);
  EXPECT_NEAR(predicted.latency, cost_.LatencyRatio(four_), 3.0 * predicted.latency_deviation);
}

TEST_F(ChoiceCostsTest, SaysWhatWasMeasuredAndHowWell) {
  Serve({"a"});
  const TicketId id = Submit({"a"});
  EXPECT_TRUE(Costs().IsBeingMeasured(four_));
  EXPECT_FALSE(Costs().IsMeasured(four_));
  Answer(id, {{"a", 0.9}});
  const ChoiceCosts costs = Costs();
  EXPECT_FALSE(costs.IsBeingMeasured(four_));
  EXPECT_TRUE(costs.IsMeasured(four_));
  const TargetCost measured = costs.Of(four_);
  EXPECT_EQ(measured.latency, 0.9);
  EXPECT_LT(measured.latency_deviation, 0.001);
  EXPECT_EQ(costs.UtilityOf({four_}).costs().front().latency, 0.9);
}

TEST_F(ChoiceCostsTest, IsMeasuredOnceEveryClassHasMeasuredIt) {
  problem_.class_objective.kind = ClassObjective::Kind::kWorst;
  Serve({"a", "b"});
  Answer(Submit({"a"}), {{"a", 0.9}});
  EXPECT_FALSE(Costs().IsMeasured(four_));
  EXPECT_NE(Costs().Of(four_).latency, 0.9);
  Answer(Submit({"b"}), {{"b", 0.7}});
  EXPECT_TRUE(Costs().IsMeasured(four_));
  EXPECT_EQ(Costs().Of(four_).latency, 0.9);
}

TEST_F(ChoiceCostsTest, PredictsWhereAClassThatCountsHasNoBoardLeft) {
  problem_.class_objective = {ClassObjective::Kind::kOne, "b"};
  Serve({"a", "b"});
  Answer(Submit({"a"}), {{"a", 0.9}});
  view_.Observed(Conditions{{{"a", 1}, {"b", 0}}, Totals{.measurements = 10}});
  EXPECT_TRUE(Costs().IsMeasured(four_));
  EXPECT_GT(Costs().Of(four_).latency_deviation, 0.001);
}

}  // namespace
}  // namespace bitpilot

// Every policy on problems whose variables are groups of channels, or single ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "policies/cost_model.h"
#include "policies/integer_program.h"
#include "policies/policy.h"
#include "policies/view.h"
#include "tests/policies/grouped_problem.h"

namespace bitpilot {
namespace {

// What a board and a validation set say of a choice: what the problem's own table and sensitivities
// predict.
TrialOutcome Answer(const SearchProblem& problem, const CostModel& cost, const Trial& trial) {
  TrialOutcome outcome;
  outcome.id = trial.id;
  double loss = problem.uniform8.loss;
  for (std::size_t i = 0; i < trial.what.choice.size(); ++i) {
    const DecisionVariable& variable = problem.variables[i];
    const auto width =
        std::find(variable.widths.begin(), variable.widths.end(), trial.what.choice[i]);
    loss += variable.sensitivity[static_cast<std::size_t>(width - variable.widths.begin())];
  }
  outcome.score = Scored{loss, 0.01, static_cast<int>(870.0 / (1.0 + loss - 0.4)), 1000};
  const double ratio = cost.LatencyRatio(trial.what.choice);
  for (const ClassId& on : trial.classes) {
    outcome.classes.push_back({on, Measured{ratio, 0.99 * ratio, 1.01 * ratio}, 1.0});
  }
  return outcome;
}

class GroupedPoliciesTest : public testing::TestWithParam<std::string> {};

TEST_P(GroupedPoliciesTest, OnlyLegalChoicesAndSomeThatMixWidthsInALayer) {
  for (const int channels : {16, 1}) {
    SCOPED_TRACE(testing::Message() << "by " << channels);
    SearchProblem problem =
        GroupedProblem(StandardTopology("resnet8").value(), channels, {2, 4, 8});
    problem.max_measurements = 8;
    const CostModel cost = CostModel::Create(problem).value();
    const std::unique_ptr<Policy> policy = MakePolicy(GetParam(), problem, 1).value();
    View view(problem);
    std::deque<Observation> answers = {Conditions{{{"board", 1}}, {problem.max_measurements, 0}}};
    int trials = 0;
    bool mixes = false;
    while (!answers.empty()) {
      const Observation answer = answers.front();
      answers.pop_front();
      view.Observed(answer);
      policy->Observe(view, answer);
      const std::vector<Action> actions = policy->Act(view);
      view.Keep(policy->Keeps());
      for (const Action& action : actions) {
        const Status legal = view.Check(action);
        ASSERT_TRUE(legal.ok()) << legal.message();
        view.Submitted(action);
        const auto* trial = std::get_if<Trial>(&action);
        if (trial == nullptr) continue;
        ++trials;
        ASSERT_TRUE(IsLegal(problem, trial->what.choice));
        const BitAssignment assignment = ToAssignment(problem, trial->what.choice);
        ASSERT_TRUE(ValidateAssignment(problem.topology, assignment).ok());
        for (const auto& runs : assignment.weight_bits) mixes = mixes || runs.size() > 1;
        answers.emplace_back(Answer(problem, cost, *trial));
      }
    }
    EXPECT_GT(trials, 0);
    EXPECT_TRUE(mixes || GetParam() == "uniform");
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, GroupedPoliciesTest, testing::ValuesIn(PolicyNames()),
                         [](const auto& policy) {
                           std::string name = policy.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace bitpilot

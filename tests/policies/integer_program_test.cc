#include "policies/integer_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "policies/policy.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

// A problem, and what the integer program answers to it.
class Solved {
 public:
  explicit Solved(SearchProblem problem)
      : problem_(std::move(problem)), cost_(CostModel::Create(problem_).value()) {
    answers = SolveIntegerProgram(problem_, cost_, NumIntegerProgramAnswers("amed-blind", problem_))
                  .value();
  }

  Status Check() const {
    return CheckIntegerProgram(problem_, cost_, NumIntegerProgramAnswers("amed-blind", problem_),
                               answers);
  }
  Choice Uniform(int bits) const { return UniformChoice(problem_, bits); }

  IntegerProgramAnswers answers;  // to be spoiled

 private:
  SearchProblem problem_;
  CostModel cost_;
};

Solved Synthetic(const SyntheticOptions& options = {}) {
  return Solved(SyntheticEnvironment(options).problem());
}

TEST(CheckIntegerProgramTest, AcceptsWhatTheSolverAnswers) {
  for (const SyntheticOptions& options :
       {SyntheticOptions{}, SyntheticOptions{.network = "resnet20", .widths = {2, 4, 8}},
        SyntheticOptions{.max_measurements = 3},
        SyntheticOptions{.budgets = {.max_latency_ratio = 0.7}},
        SyntheticOptions{.budgets = {.max_latency_ratio = 0.01}},
        SyntheticOptions{.budgets = {.max_weight_bytes = 40'000}},
        SyntheticOptions{.widths = {2, 4, 8},
        .budgets = {.max_energy_ratio = 0.6, .max_weight_bytes = 30'000}}}) {
    const Status status = Synthetic(options).Check();
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

// Where no width costs any loss, every choice within the limit is an optimum: which one comes is the
// solver's business.
TEST(CheckIntegerProgramTest, AcceptsAnyOfSeveralOptima) {
  SearchProblem problem = SyntheticEnvironment({}).problem();
  for (DecisionVariable& variable : problem.variables) {
    std::fill(variable.sensitivity.begin(), variable.sensitivity.end(), 0.0);
  }
  Solved solved(problem);
  ASSERT_TRUE(solved.Check().ok());
  solved.answers.answers.back().choice = solved.answers.fastest;
  EXPECT_TRUE(solved.Check().ok()) << solved.Check().message();
}

TEST(CheckIntegerProgramTest, RefusesAnAnswerThatBreaksItsLimit) {
  Solved solved = Synthetic();
  solved.answers.answers[2].choice = solved.Uniform(8);
  EXPECT_EQ(solved.Check().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(solved.Check().message(), HasSubstr("answer 3"));
  EXPECT_THAT(solved.Check().message(), HasSubstr("breaks limit 1"));
}

TEST(CheckIntegerProgramTest, RefusesAnAnswerThatIsNoOptimum) {
  Solved solved = Synthetic();
  solved.answers.answers.back().choice = solved.answers.fastest;
  EXPECT_THAT(solved.Check().message(), HasSubstr("answer 8"));
  EXPECT_THAT(solved.Check().message(), HasSubstr("no optimum"));
}

// By one step of one variable, which is as small as an error can be.
TEST(CheckIntegerProgramTest, RefusesAnAnswerWithOneWidthThatIsTooNarrow) {
  Solved solved = Synthetic();
  int refused = 0;
  int narrowed = 0;
  Choice& choice = solved.answers.answers[3].choice;
  for (int& width : choice) {
    if (width == 2) continue;
    --width;
    ++narrowed;
    refused += solved.Check().ok() ? 0 : 1;
    ++width;
  }
  EXPECT_GT(narrowed, 5);
  EXPECT_EQ(refused, narrowed);
  EXPECT_TRUE(solved.Check().ok());
}

TEST(CheckIntegerProgramTest, RefusesABrokenSizeBudget) {
  Solved solved = Synthetic({.budgets = {.max_weight_bytes = 40'000}});
  solved.answers.answers.back().choice = solved.Uniform(8);
  EXPECT_EQ(solved.Check().code(), StatusCode::kDataCorrupt);
}

TEST(CheckIntegerProgramTest, RefusesOtherLimitsAndAFastestChoiceThatIsSlower) {
  Solved other_limit = Synthetic();
  other_limit.answers.answers[1].max_latency_ratio *= 1.0 + 1e-15;
  EXPECT_THAT(other_limit.Check().message(), HasSubstr("answer 2: is for a latency ratio"));
  Solved fewer = Synthetic();
  fewer.answers.answers.pop_back();
  EXPECT_THAT(fewer.Check().message(), HasSubstr("7 answers, expected 8"));
  Solved slower = Synthetic();
  slower.answers.fastest = slower.Uniform(8);
  EXPECT_THAT(slower.Check().message(), HasSubstr("fastest choice: is no optimum"));
}

TEST(CheckIntegerProgramTest, RefusesIllegalChoices) {
  Solved missing = Synthetic();
  missing.answers.fastest.pop_back();
  EXPECT_THAT(missing.Check().message(), HasSubstr("not one legal width"));
  Solved wide = Synthetic();
  wide.answers.answers[0].choice[0] = 9;
  EXPECT_THAT(wide.Check().message(), HasSubstr("answer 1: not one legal width"));
}

}  // namespace
}  // namespace bitpilot

#include "policies/policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numbers>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "policies/history_policy.h"
#include "tests/policies/environment_conformance.h"
#include "tests/policies/policy_conformance.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

// An environment of each kind that a policy must survive.
struct Setting {
  std::string name;
  SyntheticOptions options;
};

void PrintTo(const Setting& setting, std::ostream* os) { *os << setting.name; }

std::vector<Setting> Settings() {
  std::vector<Setting> settings;
  settings.push_back({"Plain", {.max_measurements = 12}});
  settings.push_back({"Failures", {.max_measurements = 12, .failure_rate = 0.4}});
  settings.push_back({"OnlyFailures", {.max_measurements = 11, .failure_rate = 1.0}});
  settings.push_back({"Interrupted", {.max_measurements = 12, .interruption_rate = 0.5}});
  settings.push_back(
      {"Diverging", {.max_measurements = 12, .divergence_rate = 0.4, .training = true}});
  settings.push_back(
      {"OnlyDiverging", {.max_measurements = 11, .divergence_rate = 1.0, .training = true}});
  settings.push_back({"Training", {.max_measurements = 12, .training = true}});
  settings.push_back({"SeveralInFlight",
                      {.max_measurements = 14, .training = true, .slots = 4, .late_rate = 0.3}});
  settings.push_back({"TwoClasses", {.max_measurements = 14, .classes = 2, .slots = 2}});
  settings.push_back({"BoardsComeAndGo",
                      {.max_measurements = 14,
                       .training = true,
                       .classes = 2,
                       .slots = 3,
                       .unavailable_rate = 0.2,
                       .change_rate = 0.3}});
  settings.push_back({"NoBoardAnswers", {.max_measurements = 11, .unavailable_rate = 1.0}});
  settings.push_back({"BoardSeconds", {.max_measurements = 12, .board_seconds = 9.0}});
  // ResNet-8's searched weights have 76,288 numbers; ends take 1,072 bytes at 8 bits.
  settings.push_back(
      {"SmallSize",
       {.widths = {2, 4, 8}, .max_measurements = 12, .budgets = {.max_weight_bytes = 26'000}}});
  settings.push_back(
      {"Budgets",
       {.max_measurements = 12, .budgets = {.max_latency_ratio = 0.7, .min_accuracy = 0.8}}});
  settings.push_back(
      {"UnreachableLatency", {.max_measurements = 11, .budgets = {.max_latency_ratio = 0.01}}});
  settings.push_back({"OneMeasurement", {.max_measurements = 1}});
  settings.push_back({"OneWidth", {.widths = {8}, .max_measurements = 5}});
  settings.push_back({"TwoWidths", {.widths = {4, 8}, .max_measurements = 10}});
  return settings;
}

class PolicyConformanceTest : public testing::TestWithParam<std::tuple<std::string, Setting>> {};

TEST_P(PolicyConformanceTest, KeepsTheLaws) {
  const auto& [name, setting] = GetParam();
  SyntheticEnvironment environment(setting.options);
  CheckPolicyConformance(name, environment, /*seed=*/3);
}

INSTANTIATE_TEST_SUITE_P(AllPolicies, PolicyConformanceTest,
                         testing::Combine(testing::ValuesIn(PolicyNames()),
                                          testing::ValuesIn(Settings())),
                         [](const auto& param) {
                           std::string name =
                               std::get<0>(param.param) + "_" + std::get<1>(param.param).name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(SyntheticEnvironmentTest, KeepsTheLawsOfEnvironments) {
  for (const Setting& setting : Settings()) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(setting.name + ", seed " + std::to_string(seed));
      std::uint64_t schedule = 0;
      const auto make = [&]() -> std::unique_ptr<Environment> {
        SyntheticOptions options = setting.options;
        options.schedule = ++schedule;  // boards behave otherwise each time
        return std::make_unique<SyntheticEnvironment>(options);
      };
      CheckEnvironmentConformance(make, {.seed = seed, .num_actions = 60, .max_batches = 20});
    }
  }
}

// The trials that a policy makes when its environment answers one after the other.
std::vector<Trial> Search(const std::string& name, const SyntheticOptions& options) {
  SyntheticEnvironment environment(options);
  const auto policy = MakePolicy(name, environment.problem(), 1).value();
  return TrialsOf(RunSearch(*policy, environment));
}

TEST(HistoryPolicyTest, TrainsOnFromTheLastTicketByTheSharesOfTheMiniBatchesSpent) {
  const std::vector<Trial> trials =
      Search("random", {.max_measurements = 4, .training = true, .slots = 3});
  ASSERT_EQ(trials.size(), 4U);
  // (1 + cos(pi / 4)) / 2 = .8535..., cos(pi / 2) = 0, and so on: half a cosine over 4 x 50.
  const double shares[] = {1.0, 0.5 + 0.25 * std::numbers::sqrt2, 0.5,
                           0.5 - 0.25 * std::numbers::sqrt2, 0.0};
  for (std::size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(trials[i].from.after, static_cast<TicketId>(i));
    EXPECT_EQ(trials[i].train.batches, 50);
    EXPECT_NEAR(trials[i].train.rate_begin, shares[i], 1e-15);
    EXPECT_NEAR(trials[i].train.rate_end, shares[i + 1], 1e-15);
  }
}

TEST(HistoryPolicyTest, NeverTriesAChoiceTwiceUnlessNoBoardCouldBeAsked) {
  for (const char* name : {"amed-blind", "ilp", "random", "uniform"}) {
    SCOPED_TRACE(name);
    std::set<Choice> choices;
    const std::vector<Trial> trials =
        Search(name, {.max_measurements = 16, .failure_rate = 0.3, .slots = 4, .late_rate = 0.3});
    for (const Trial& trial : trials) {
      EXPECT_TRUE(choices.insert(trial.what.choice).second) << trial.what.reason;
    }
  }
}

TEST(HistoryPolicyTest, TriesAChoiceAgainForWhichThereWasNoBoard) {
  SyntheticEnvironment environment({.max_measurements = 8, .unavailable_rate = 0.5});
  const auto policy = MakePolicy("ilp", environment.problem(), 1).value();
  const SearchLog log = RunSearch(*policy, environment);
  std::map<Choice, int> tries;
  std::set<Choice> measured;
  for (const Trial& trial : TrialsOf(log)) ++tries[trial.what.choice];
  for (const SearchEvent& event : log) {
    const auto* outcome = std::get_if<TrialOutcome>(&event.observation);
    if (outcome == nullptr) continue;
    if (std::holds_alternative<Measured>(outcome->classes.front().result)) {
      measured.insert(TrialsOf(log)[static_cast<std::size_t>(outcome->id - 1)].what.choice);
    }
  }
  int again = 0;
  for (const auto& [choice, count] : tries) {
    EXPECT_LE(count, kMaxTriesWithoutBoard);
    again += count > 1 ? 1 : 0;
    EXPECT_TRUE(measured.contains(choice) || count == kMaxTriesWithoutBoard);
  }
  EXPECT_GT(again, 0);
}

TEST(HistoryPolicyTest, GivesUpWhereNoBoardAnswersForLong) {
  EXPECT_EQ(Search("random", {.max_measurements = 100, .unavailable_rate = 1.0}).size(),
            static_cast<std::size_t>(kMaxUnavailableInARow));
}

// Of two classes one has no board for longer than any row of misses after which a policy gives up: it is
// predicted, and the other one measures. Then all of it is measured, also what was predicted.
TEST(HistoryPolicyTest, GoesOnAsLongAsAClassIsPredicted) {
  const int predicted = kMaxUnavailableInARow + 16;
  for (const char* name : {"random", "uniform", "amed-blind", "ilp"}) {
    SCOPED_TRACE(name);
    SyntheticEnvironment environment(
        {.widths = {4, 8}, .max_measurements = 200, .classes = 2, .predicted = predicted});
    const auto policy = MakePolicy(name, environment.problem(), 1).value();
    const SearchLog log = RunSearch(*policy, environment);
    const std::vector<Trial> trials = TrialsOf(log);
    ASSERT_GT(trials.size(), static_cast<std::size_t>(predicted));
    std::set<Choice> lacked, measured;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const bool is_lacking = i < static_cast<std::size_t>(predicted);
      (is_lacking ? lacked : measured).insert(trials[i].what.choice);
    }
    if (std::string(name) == "uniform" || std::string(name) == "ilp") {
      EXPECT_TRUE(std::includes(measured.begin(), measured.end(), lacked.begin(), lacked.end()));
    } else {
      EXPECT_EQ(lacked.size(), static_cast<std::size_t>(predicted));
    }
  }
}

// Sixteen boards have no more board seconds than one.
TEST(HistoryPolicyTest, BeginsNoMoreThanTheBoardSecondsPayForWhatIsInFlight) {
  const SyntheticWorld world({.max_measurements = 100});
  for (const char* name : {"random", "uniform", "amed-blind"}) {
    SCOPED_TRACE(name);
    const auto policy = MakePolicy(name, world.problem(), 1);
    ASSERT_TRUE(policy.ok()) << policy.status().message();
    View view(world.problem());
    const auto observe = [&](const Observation& observation) {
      view.Observed(observation);
      (*policy)->Observe(view, observation);
    };
    const Totals totals{.measurements = 100, .mini_batches = 0, .board_seconds = 40.0};
    observe(Conditions{{{"a", 1}}, totals});
    const std::vector<Action> first = (*policy)->Act(view);
    ASSERT_EQ(first.size(), 1U);
    view.Submitted(first.front());
    observe(Conditions{{{"a", 16}}, totals});
    observe(TrialOutcome{.id = 1,
                         .at = {},
                         .train_loss = std::nullopt,
                         .score = Scored{0.6, 0.01, 800, 1000},
                         .classes = {{"a", Measured{0.8, 0.79, 0.81}, 10.0}}});
    const std::vector<Action> next = (*policy)->Act(view);
    EXPECT_EQ(next.size(), 3U) << "of 10 s each, in 30";
    for (const Action& action : next) view.Submitted(action);
    EXPECT_TRUE((*policy)->Act(view).empty());
  }
}

TEST(HistoryPolicyTest, StopsAtTheLastPlaceWhenTheBudgetIsUsed) {
  SyntheticEnvironment environment({.max_measurements = 3, .training = true});
  const auto policy = MakePolicy("random", environment.problem(), 1).value();
  const SearchLog log = RunSearch(*policy, environment);
  ASSERT_EQ(TrialsOf(log).size(), 3U);
  ASSERT_EQ(log.back().actions.size(), 1U);
  EXPECT_EQ(std::get<Stop>(log.back().actions.front()).at.after, 3);
}

TEST(MakePolicyTest, NamesTheKnownPoliciesWhenAskedForAnUnknownOne) {
  const SyntheticEnvironment environment({});
  const auto policy = MakePolicy("ames", environment.problem(), 1);
  ASSERT_FALSE(policy.ok());
  EXPECT_EQ(policy.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(policy.status().message().find("\"ames\""), std::string::npos);
  for (const std::string& name : PolicyNames()) {
    EXPECT_NE(policy.status().message().find(name), std::string::npos);
  }
}

TEST(MakePolicyTest, RefusesBudgetsThatNoChoiceKeeps) {
  const SyntheticEnvironment environment({.budgets = {.max_weight_bytes = 100}});
  for (const char* name : {"amed", "amed-blind", "ilp"}) {
    const auto policy = MakePolicy(name, environment.problem(), 1);
    ASSERT_FALSE(policy.ok());
    EXPECT_EQ(policy.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(policy.status().message().find("weight bytes <= 100"), std::string::npos);
  }
}

TEST(MakePolicyTest, RefusesProblemsWithoutAnythingToChoose) {
  SearchProblem problem = SyntheticEnvironment({}).problem();
  problem.variables.clear();
  for (const std::string& name : PolicyNames()) {
    EXPECT_EQ(MakePolicy(name, problem, 1).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(PolicyStateTest, IsRefusedWhenItIsDamagedOrOfAnotherPolicyOrProblem) {
  const SyntheticEnvironment environment({});
  const SyntheticEnvironment other({.network = "resnet20"});
  const auto state_of = [](const std::string& name, const SearchProblem& problem) {
    return MakePolicy(name, problem, 1).value()->Save();
  };
  const std::string good = state_of("random", environment.problem());
  std::string newer = good;
  newer.replace(newer.find("\"version\":3"), 11, "\"version\":4");
  const auto policy = MakePolicy("random", environment.problem(), 1).value();
  for (const std::string& state :
       {std::string(), std::string("{}"), std::string("[1"), good.substr(0, good.size() - 1), newer,
        state_of("uniform", environment.problem()), state_of("random", other.problem())}) {
    EXPECT_EQ(policy->Load(state).code(), StatusCode::kDataCorrupt) << state;
    EXPECT_EQ(policy->Save(), good);
  }
  EXPECT_TRUE(policy->Load(good).ok());
}

// 5,000 decisions must not make a study of 5,000 states that grow.
TEST(PolicyStateTest, DoesNotGrowWithTheSearch) {
  SyntheticEnvironment environment({.max_measurements = 60, .training = true});
  const auto policy = MakePolicy("random", environment.problem(), 1).value();
  const SearchLog log = RunSearch(*policy, environment);
  EXPECT_EQ(log.front().saved.size(), log.back().saved.size());
}

// The trials that `policy` makes at once where a class takes 100 of them.
std::vector<Trial> FirstTrials(Policy& policy, const SearchProblem& problem) {
  PolicyDriver driver(problem, policy);
  const Observation conditions = Conditions{{{"board", 100}}, {100, 1000}};
  driver.Observe(conditions);
  return TrialsOf({driver.Act(
      conditions, [](const std::vector<TicketId>&) {}, [](const Action&) { return Status(); })});
}

// Answers that are known are not solved for again: another solver's ties stay as they were.
TEST(MakePolicyTest, ProposesTheIntegerProgramsAnswersThatItWasGiven) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  const IntegerProgramAnswers answers{UniformChoice(problem, 2),
                                      {{0.5, UniformChoice(problem, 3)},
                                       {0.6, UniformChoice(problem, 3)},
                                       {0.7, UniformChoice(problem, 5)}}};
  const auto policy = MakePolicy("ilp", problem, 1, answers).value();
  const std::vector<Trial> trials = FirstTrials(*policy, problem);
  ASSERT_EQ(trials.size(), 2U);
  EXPECT_EQ(trials[0].what.choice, UniformChoice(problem, 3));
  EXPECT_EQ(trials[0].what.origin, Origin::kIntegerProgram);
  EXPECT_EQ(trials[1].what.choice, UniformChoice(problem, 5));
  for (const char* name : {"amed", "amed-blind", "ilp"})
    EXPECT_TRUE(StartsWithIntegerProgram(name));
  for (const char* name : {"random", "uniform"}) EXPECT_FALSE(StartsWithIntegerProgram(name));
}

TEST(MakePolicyTest, AsksForALadderOfTheWholeBudgetOrAStartOfAtMostEight) {
  SearchProblem problem;
  problem.max_measurements = 24;
  EXPECT_EQ(NumIntegerProgramAnswers("ilp", problem), 24);
  EXPECT_EQ(NumIntegerProgramAnswers("amed-blind", problem), 8);
  EXPECT_EQ(NumIntegerProgramAnswers("random", problem), 0);
  EXPECT_EQ(NumIntegerProgramAnswers("no such policy", problem), 0);
  problem.max_measurements = 3;
  EXPECT_EQ(NumIntegerProgramAnswers("ilp", problem), 3);
  EXPECT_EQ(NumIntegerProgramAnswers("amed-blind", problem), 3);
}

TEST(IlpPolicyTest, MeasuresALadderOfAsManyAnswersAsMayBeMeasured) {
  const std::vector<Trial> trials = Search("ilp", {.max_measurements = 20});
  EXPECT_GE(trials.size(), 18U);  // two limits may have one answer
  EXPECT_LE(trials.size(), 20U);
}

// A policy that shows what it learned from.
class ListeningPolicy final : public HistoryPolicy {
 public:
  using HistoryPolicy::history;
  using HistoryPolicy::HistoryPolicy;

  std::string name() const override { return "listening"; }

 protected:
  std::vector<Candidate> Propose(TicketId, int) override {
    return Unseen({{UniformChoice(problem(), 2), Origin::kUniform, "test"}}, 1);
  }
};

// A training that diverged must not look like a good one, whose loss is 0 as well.
TEST(HistoryPolicyTest, CountsATrainingThatDivergedAsTheWorst) {
  SyntheticEnvironment environment({.divergence_rate = 1.0, .training = true});
  const SearchProblem& problem = environment.problem();
  ListeningPolicy policy(problem, CostModel::Create(problem).value(), 1);
  RunSearch(policy, environment);
  ASSERT_EQ(policy.history().size(), 1U);
  EXPECT_EQ(policy.history().front().status, TransitionStatus::kDiverged);
  EXPECT_EQ(policy.history().front().loss, 1e6);
  EXPECT_EQ(policy.history().front().accuracy, 0.0);
}

TEST(RandomPolicyTest, ProposesEveryChoiceOfASmallSpaceExactlyOnce) {
  // Three variables stay, with two widths each.
  SearchProblem problem = SyntheticEnvironment({.widths = {4, 8}}).problem();
  problem.variables.resize(3);
  const auto policy = MakePolicy("random", problem, 1).value();
  std::set<Choice> choices;
  for (const Trial& trial : FirstTrials(*policy, problem)) {
    EXPECT_TRUE(choices.insert(trial.what.choice).second);
  }
  EXPECT_EQ(choices.size(), 8U);
}

TEST(UniformPolicyTest, ProposesEqualWidthsFirstAndThenPairsFromTheWidest) {
  const SyntheticEnvironment environment({.widths = {2, 4, 8}});
  const auto policy = MakePolicy("uniform", environment.problem(), 1).value();
  std::vector<std::string> reasons;
  for (const Trial& trial : FirstTrials(*policy, environment.problem())) {
    reasons.push_back(trial.what.reason);
  }
  EXPECT_EQ(reasons, (std::vector<std::string>{"uniform w8a8", "uniform w4a4", "uniform w2a2",
                                               "uniform w8a4", "uniform w4a8", "uniform w8a2",
                                               "uniform w2a8", "uniform w4a2", "uniform w2a4"}));
}

}  // namespace
}  // namespace bitpilot

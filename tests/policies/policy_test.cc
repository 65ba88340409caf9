#include "policies/policy.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

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
  settings.push_back({"Interrupted", {.max_measurements = 12, .interrupted_step = 9}});
  settings.push_back(
      {"Diverging", {.max_measurements = 12, .divergence_rate = 0.4, .training = true}});
  settings.push_back(
      {"OnlyDiverging", {.max_measurements = 11, .divergence_rate = 1.0, .training = true}});
  settings.push_back({"Training", {.max_measurements = 12, .training = true}});
  // ResNet-8's searched weights have 76,752 numbers; ends take 1,072 bytes at 8 bits.
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
  const auto make = [&options = setting.options]() -> std::unique_ptr<Environment> {
    return std::make_unique<SyntheticEnvironment>(options);
  };
  CheckPolicyConformance(name, make, /*seed=*/3);
}

INSTANTIATE_TEST_SUITE_P(AllPolicies, PolicyConformanceTest,
                         testing::Combine(testing::ValuesIn(PolicyNames()),
                                          testing::ValuesIn(Settings())),
                         [](const auto& param) {
                           return std::get<0>(param.param) + std::get<1>(param.param).name;
                         });

TEST(SyntheticEnvironmentTest, KeepsTheLawsOfEnvironments) {
  for (const Setting& setting : Settings()) {
    SCOPED_TRACE(setting.name);
    CheckEnvironmentConformance(
        [&] { return std::make_unique<SyntheticEnvironment>(setting.options); }, /*seed=*/1);
  }
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
  for (const char* name : {"amed", "ilp"}) {
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
  newer.replace(newer.find("\"version\":2"), 11, "\"version\":3");
  const std::string step = R"({"accuracy":0.5,"choice":[9],"latency_high_ns":0,"latency_low_ns":0,)"
                           R"("latency_ns":null,"energy_ratio":null,"energy_ratio_uncertainty":0,)"
                           R"("model_energy_ratio":null,"loss":1,"status":1,"weight_bytes":1})";
  std::string illegal = good;
  illegal.replace(illegal.find("\"transitions\":[]"), 16, "\"transitions\":[" + step + "]");
  const auto policy = MakePolicy("random", environment.problem(), 1).value();
  for (const std::string& state :
       {std::string(), std::string("{}"), std::string("[1"), good.substr(0, good.size() - 1), newer,
        illegal, state_of("uniform", environment.problem()), state_of("random", other.problem())}) {
    EXPECT_EQ(policy->Load(state).code(), StatusCode::kDataCorrupt) << state;
    EXPECT_EQ(policy->Save(), good);
  }
  EXPECT_TRUE(policy->Load(good).ok());
}

TEST(PolicyStateTest, KeepsEveryBitOfWhatWasObserved) {
  const SyntheticEnvironment environment({});
  const auto policy = MakePolicy("random", environment.problem(), 1).value();
  Transition transition;
  transition.choice = UniformChoice(environment.problem(), 8);
  transition.status = TransitionStatus::kMeasured;
  transition.latency_ns = 0x1.fffffffffffffp+20;
  transition.latency_low_ns = 0x1.0000000000001p+20;
  transition.latency_high_ns = 1e300;
  transition.loss = 0.1 + 0.2;
  transition.accuracy = 1.0 / 3.0;
  policy->Observe(transition);
  transition.choice = UniformChoice(environment.problem(), 4);
  transition.loss = std::numeric_limits<double>::quiet_NaN();  // training diverged
  policy->Observe(transition);
  const std::string state = policy->Save();
  EXPECT_EQ(Restore("random", environment.problem(), state)->Save(), state);
  EXPECT_NE(state.find("0.30000000000000004"), std::string::npos);
}

// Answers that are known are not solved for again: another solver's ties stay as they were.
TEST(MakePolicyTest, ProposesTheIntegerProgramsAnswersThatItWasGiven) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  const IntegerProgramAnswers answers{UniformChoice(problem, 2),
                                      {{0.5, UniformChoice(problem, 3)},
                                       {0.6, UniformChoice(problem, 3)},
                                       {0.7, UniformChoice(problem, 5)}}};
  for (const char* name : {"amed", "ilp"}) {
    EXPECT_TRUE(StartsWithIntegerProgram(name));
    const auto policy = MakePolicy(name, problem, 1, answers).value();
    const auto proposals = policy->Propose({.step = 0, .measurements_left = 10});
    ASSERT_EQ(proposals.size(), 2U);
    EXPECT_EQ(proposals[0].choice, UniformChoice(problem, 3));
    EXPECT_EQ(proposals[0].origin, Origin::kIntegerProgram);
    EXPECT_EQ(proposals[1].choice, UniformChoice(problem, 5));
  }
  EXPECT_FALSE(StartsWithIntegerProgram("random"));
}

// A training that diverged must not look like a good one, whose loss is 0 as well.
TEST(PolicyStateTest, CountsATrainingThatDivergedAsTheWorst) {
  const auto state_after = [](TransitionStatus status) {
    const SyntheticEnvironment environment({.widths = {2, 8}, .training = true});
    const SearchProblem& problem = environment.problem();
    const auto policy = MakePolicy("random", problem, 1).value();
    Transition transition;
    transition.choice = UniformChoice(problem, 2);
    transition.status = status;
    policy->Observe(transition);
    return policy->Save();
  };
  EXPECT_NE(state_after(TransitionStatus::kDiverged).find("\"loss\":1000000.0"), std::string::npos);
  EXPECT_EQ(state_after(TransitionStatus::kFailed).find("\"loss\":1000000.0"), std::string::npos);
}

TEST(RandomPolicyTest, ProposesEveryChoiceOfASmallSpaceExactlyOnce) {
  // Three variables stay, with two widths each.
  SearchProblem problem = SyntheticEnvironment({.widths = {4, 8}}).problem();
  problem.variables.resize(3);
  const auto policy = MakePolicy("random", problem, 1).value();
  std::set<Choice> seen;
  for (int step = 0; step < 8; ++step) {
    const auto proposals = policy->Propose({.step = step, .measurements_left = 100});
    ASSERT_EQ(proposals.size(), 1U);
    EXPECT_TRUE(seen.insert(proposals[0].choice).second);
    policy->Observe({.choice = proposals[0].choice});
  }
  EXPECT_TRUE(policy->Propose({.step = 8, .measurements_left = 92}).empty());
}

TEST(UniformPolicyTest, ProposesEqualWidthsFirstAndThenPairsFromTheWidest) {
  const SyntheticEnvironment environment({.widths = {2, 4, 8}});
  const auto policy = MakePolicy("uniform", environment.problem(), 1).value();
  std::vector<std::string> reasons;
  for (const Proposal& proposal : policy->Propose({.step = 0, .measurements_left = 100})) {
    reasons.push_back(proposal.reason);
  }
  EXPECT_EQ(reasons, (std::vector<std::string>{"uniform w8a8", "uniform w4a4", "uniform w2a2",
                                               "uniform w8a4", "uniform w4a8", "uniform w8a2",
                                               "uniform w2a8", "uniform w4a2", "uniform w2a4"}));
}

}  // namespace
}  // namespace bitpilot

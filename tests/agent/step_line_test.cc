// What a running search says of a trial, and that its replay says the same.
#include "agent/cli/step_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/episodes_output.h"
#include "agent/study/search_config.h"
#include "policies/transition.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;

// Two classes; uniform 8 bit takes 1000 ns on "a" and 250 ns on "b".
class StepLineTest : public testing::Test {
 protected:
  StepLineTest() {
    SearchConfig config;
    config.device.clear();
    config.fleet = "fleet.toml";
    config.classes = {"a", "b"};
    config_ = config;
    event_.layers = {"conv1", "conv2", "fc"};
    event_.tensors = {"input", "conv1"};
    event_.variables = {{DecisionVariable::Kind::kWeights, 1, "conv2", {4, 8}, {0.1, 0}}};
    event_.table = "bitpilot-cost-table 1\nname example\n";
    event_.uniform8 = {1000.0, 1.0, 0.8};
    anchor_.anchor.readings = {{0, 1.0, 0.03, 0.2}};
    proposal_.ticket = 1;
    proposal_.choice = {4};
    proposal_.classes = {"a", "b"};
  }

  // As the search knows it.
  SearchProblem Problem() const {
    SearchProblem problem;
    problem.variables = event_.variables;
    problem.uniform8 = event_.uniform8;
    problem.anchor = anchor_.anchor;
    problem.class_objective = ParseClassObjective(config_.objective);
    problem.class_uniform8_ns = {{"a", 1000.0}, {"b", 250.0}};
    return problem;
  }

  // `joint`: of the two classes' ratios.
  TransitionEvent Answer(double joint) const {
    TransitionEvent answer;
    answer.ticket = 1;
    answer.at = {0, 0};
    answer.score = Scored{1.1, 0.04, 75, 100};
    answer.classes = {{"a", Measured{0.8, 0.79, 0.81}, 1.5, "bench-1"},
                      {"b", Measured{0.6, 0.58, 0.62}, 1.5, "bench-2"}};
    answer.transition.choice = proposal_.choice;
    answer.transition.status = TransitionStatus::kMeasured;
    answer.transition.latency_ns = joint * event_.uniform8.latency_ns;
    return answer;
  }

  nlohmann::json Replayed(const TransitionEvent& answer) const {
    std::vector<Event> events;
    const auto log = [&events](const auto& event) {
      Event logged;
      logged.seq = static_cast<std::int64_t>(events.size()) + 2;
      logged.kind = std::decay_t<decltype(event)>::kKind;
      logged.payload = ToJson(event);
      events.push_back(std::move(logged));
    };
    log(AgentEvent{"build", "solver", kLogVersion});
    log(event_);
    log(anchor_);
    log(proposal_);
    log(answer);
    const Result<Episodes> episodes = ReadEpisodes(ToJson(config_).dump(), events);
    EXPECT_TRUE(episodes.ok()) << episodes.status().message();
    return DecisionLine(episodes->decisions.at(0))["outcome"];
  }

  SearchConfig config_;
  ProblemEvent event_;
  AnchorEvent anchor_;
  ProposalEvent proposal_;
};

TEST_F(StepLineTest, AReplayHasTheRatioAndTheRewardOfTheSearch) {
  const std::vector<std::pair<std::string, double>> objectives = {
      {"worst", 0.8}, {"mean", 0.7}, {"a", 0.8}, {"b", 0.6}};
  for (const auto& [objective, joint] : objectives) {
    config_.objective = objective;
    const TransitionEvent answer = Answer(joint);
    const nlohmann::json step = StepLine(Problem(), proposal_, answer, 0.5);
    const nlohmann::json replayed = Replayed(answer);
    EXPECT_NEAR(step["latency_ratio"].get<double>(), joint, 1e-12) << objective;
    EXPECT_NEAR(replayed["latency_ratio"].get<double>(), joint, 1e-12) << objective;
    EXPECT_NEAR(replayed["reward"].get<double>(), step["reward"].get<double>(), 1e-12) << objective;
    // u = -x / A(0) - ratio, with a loss of 0.1 above uniform 8 bit's 1.0.
    EXPECT_NEAR(step["reward"].get<double>(), -0.1 - joint, 1e-12) << objective;
  }
}

TEST_F(StepLineTest, EachOfSeveralClassesHasALatencyAndAllTogetherHaveNone) {
  const nlohmann::json step = StepLine(Problem(), proposal_, Answer(0.8), 0.5);
  EXPECT_TRUE(step["latency_ns"].is_null());
  EXPECT_NEAR(step["classes"][0]["latency_ns"].get<double>(), 800.0, 1e-9);
  EXPECT_NEAR(step["classes"][1]["latency_ns"].get<double>(), 150.0, 1e-9);
}

TEST_F(StepLineTest, OneClassHasTheLatencyThatItsRatioGives) {
  SearchProblem problem = Problem();
  problem.class_uniform8_ns.clear();
  TransitionEvent answer = Answer(0.8);
  answer.classes.pop_back();
  const nlohmann::json step = StepLine(problem, proposal_, answer, 0.5);
  EXPECT_EQ(step["latency_ns"], 800.0);
  EXPECT_NEAR(step["classes"][0]["latency_ns"].get<double>(), 800.0, 1e-9);
}

TEST_F(StepLineTest, SaysOnWhichClassACandidateWasPredicted) {
  TransitionEvent answer = Answer(0.8);
  answer.classes[1] = {"b", BoardUnavailable{"unplugged", 0.55}};
  answer.transition.status = TransitionStatus::kUnavailable;
  answer.transition.latency_ns.reset();
  EXPECT_THAT(DescribeStep(Problem(), answer),
              HasSubstr(", not measured, b predicted 0.550x (no board) (a 0.800x on bench-1)"));
  const nlohmann::json step = StepLine(Problem(), proposal_, answer, 0.5);
  EXPECT_TRUE(step["latency_ratio"].is_null());
  EXPECT_TRUE(step["reward"].is_null());
  EXPECT_TRUE(step["board"].is_null());
  EXPECT_EQ(step["classes"][1]["predicted_latency_ratio"], 0.55);
}

TEST_F(StepLineTest, NamesTheBoardsThatMeasured) {
  TransitionEvent answer = Answer(0.8);
  EXPECT_THAT(DescribeStep(Problem(), answer),
              HasSubstr("0.800x (a 0.800x on bench-1, b 0.600x on bench-2)"));
  answer.classes.pop_back();
  EXPECT_THAT(DescribeStep(Problem(), answer), HasSubstr("0.800x on bench-1"));
  answer.classes.front().board.clear();  // a device of this machine
  EXPECT_THAT(DescribeStep(Problem(), answer), Not(HasSubstr(" on ")));
}

}  // namespace
}  // namespace bitpilot

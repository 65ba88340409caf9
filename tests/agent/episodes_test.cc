// What a study's log tells of its decisions, by hand-made events.
#include "agent/study/episodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/study/search_config.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

class EpisodesTest : public testing::Test {
 protected:
  EpisodesTest() {
    SearchConfig config;
    config.train_batches = 10;
    config_ = ToJson(config).dump();
  }

  template <typename T>
  void Log(const T& event) {
    Event logged;
    logged.seq = static_cast<std::int64_t>(events_.size()) + 2;
    logged.kind = T::kKind;
    logged.payload = ToJson(event);
    events_.push_back(std::move(logged));
  }

  // Two variables; uniform 8 bit has a loss of 1.0 at the start, and 0.5 after 20 mini-batches.
  void LogProblem(int log_version) {
    if (log_version > 1) Log(AgentEvent{"build", "solver", log_version});
    ProblemEvent problem;
    problem.layers = {"conv1", "conv2", "fc"};
    problem.tensors = {"input", "conv1"};
    problem.variables = {{DecisionVariable::Kind::kWeights, 1, "conv2", {2, 4, 8}, {1, 0.1, 0}},
                         {DecisionVariable::Kind::kActivations, 1, "conv1", {4, 8}, {0.2, 0}}};
    problem.table = "bitpilot-cost-table 1\nname example\n";
    problem.uniform8 = {1000.0, 1.0, 0.8};
    Log(problem);
    if (log_version < 3) return;
    AnchorEvent anchor;
    anchor.anchor.readings = {{0, 1.0, 0.03, 0.2}, {20, 0.5, 0.03, 0.1}};
    Log(anchor);
  }

  static ProposalEvent Trial(TicketId ticket, TicketId from, Choice choice, int step) {
    ProposalEvent event;
    event.step = step;
    event.ticket = ticket;
    event.from = from;
    event.choice = std::move(choice);
    event.reason = "because";
    event.pace = {10, 1.0, 0.5};
    event.classes = {"bench"};
    return event;
  }

  static TransitionEvent Answer(const ProposalEvent& proposal, int depth, double loss,
                                double ratio) {
    TransitionEvent event;
    event.step = proposal.step;
    event.ticket = proposal.ticket;
    event.at = {depth, depth};
    event.train_loss = 0.9;
    event.score = Scored{loss, 0.04, 75, 100};
    event.classes = {{"bench", Measured{ratio, ratio - 0.01, ratio + 0.01}, 1.5}};
    event.transition.choice = proposal.choice;
    event.transition.status = TransitionStatus::kMeasured;
    event.transition.latency_ns = 1000.0 * ratio;
    event.transition.loss = loss;
    event.transition.accuracy = 0.75;
    return event;
  }

  std::vector<Decision> Read() {
    Result<Episodes> episodes = ReadEpisodes(config_, events_);
    EXPECT_TRUE(episodes.ok()) << episodes.status().message();
    return episodes.ok() ? std::move(episodes->decisions) : std::vector<Decision>();
  }

  std::string config_;
  std::vector<Event> events_;
};

TEST_F(EpisodesTest, TellsWhatChangedAgainstThePlaceAndWhatCameOfIt) {
  LogProblem(3);
  ProposalEvent first = Trial(1, 0, {4, 8}, 0);
  first.figures = DecisionFigures{0.8, 0.1, 0.3, 0.2, 0.0};
  Log(first);
  Log(Answer(first, 10, 0.85, 0.6));
  const ProposalEvent second = Trial(2, 1, {4, 4}, 1);
  Log(second);
  Log(Answer(second, 20, 0.55, 0.5));
  Log(StopEvent{1});
  const std::vector<Decision> decisions = Read();
  ASSERT_EQ(decisions.size(), 3U);

  ASSERT_EQ(decisions[0].changes.size(), 1U);  // the start is uniform 8 bit
  EXPECT_EQ(decisions[0].changes[0].name, "conv2");
  EXPECT_EQ(decisions[0].changes[0].from, 8);
  EXPECT_EQ(decisions[0].changes[0].to, 4);
  EXPECT_EQ(decisions[0].figures->predicted_loss, 0.8);
  ASSERT_TRUE(decisions[0].outcome.has_value());
  // Half way between the readings the anchor is 0.75; errors add up as squares: 0.03 and 0.04.
  EXPECT_NEAR(decisions[0].outcome->excess->mean, 0.85 - 0.75, 1e-12);
  // u = -x / A(0) - ratio
  EXPECT_NEAR(*decisions[0].outcome->reward, -0.1 / 1.0 - 0.6, 1e-12);
  EXPECT_NEAR(*decisions[0].outcome->ratio, 0.6, 1e-12);
  EXPECT_NEAR(decisions[0].outcome->ratio_low, 0.59, 1e-12);
  EXPECT_TRUE(decisions[0].outcome->on_front);
  EXPECT_TRUE(decisions[0].is_place) << "the second trial and the stop name it";

  ASSERT_EQ(decisions[1].changes.size(), 1U);  // against ticket 1, which had conv2 at 4 bits
  EXPECT_EQ(decisions[1].changes[0].kind, DecisionVariable::Kind::kActivations);
  EXPECT_NEAR(decisions[1].outcome->excess->mean, 0.05, 1e-12);
  EXPECT_NEAR(decisions[1].outcome->excess->error, 0.05, 1e-12);  // at a reading: 3-4-5
  EXPECT_FALSE(decisions[1].is_place);
  EXPECT_EQ(decisions[2].kind, Decision::Kind::kStop);
  EXPECT_EQ(decisions[2].from, 1);
}

TEST_F(EpisodesTest, AnswersMayComeInAnotherOrderThanTheyWereAskedFor) {
  LogProblem(3);
  const ProposalEvent first = Trial(1, 0, {4, 8}, 0);
  const ProposalEvent second = Trial(2, 0, {2, 8}, 1);
  Log(first);
  Log(second);
  Log(Answer(second, 10, 0.9, 0.5));
  const std::vector<Decision> half = Read();
  ASSERT_EQ(half.size(), 2U);
  EXPECT_FALSE(half[0].outcome.has_value());
  EXPECT_NEAR(*half[1].outcome->loss, 0.9, 1e-12);
  Log(Answer(first, 10, 0.8, 0.7));
  const std::vector<Decision> all = Read();
  EXPECT_NEAR(*all[0].outcome->loss, 0.8, 1e-12);
}

TEST_F(EpisodesTest, TrainingThatDivergedLeavesThePlaceThatItBeganFrom) {
  LogProblem(3);
  const ProposalEvent first = Trial(1, 0, {2, 4}, 0);
  Log(first);
  TransitionEvent diverged = Answer(first, 0, 0.0, 0.4);
  diverged.score.reset();
  diverged.train_loss.reset();
  diverged.transition.status = TransitionStatus::kDiverged;
  diverged.transition.latency_ns.reset();
  Log(diverged);
  Log(Trial(2, 1, {8, 8}, 1));
  const std::vector<Decision> decisions = Read();
  ASSERT_EQ(decisions.size(), 2U);
  EXPECT_TRUE(decisions[0].outcome->diverged);
  EXPECT_FALSE(decisions[0].outcome->reward.has_value());
  EXPECT_TRUE(decisions[1].changes.empty()) << "the weights are at 8 bits again";
}

TEST_F(EpisodesTest, ShowsAdvancesAndProbesBesideTrials) {
  LogProblem(3);
  AdvanceEvent advance;
  advance.ticket = 1;
  advance.choice = {4, 4};
  advance.pace = {5, 1.0, 1.0};
  Log(advance);
  Log(ProbeEvent{2, {{2, 4}, {4, 4}, {2, 2}}, 1});
  Log(AdvancedEvent{{1, {5, 5}, 0.7}});
  Log(ProbedEvent{{2, {0.3, 0.1, std::nullopt}}});
  const std::vector<Decision> decisions = Read();
  ASSERT_EQ(decisions.size(), 2U);
  EXPECT_EQ(decisions[0].kind, Decision::Kind::kAdvance);
  EXPECT_EQ(decisions[0].outcome->train_loss, 0.7);
  EXPECT_TRUE(decisions[0].is_place);
  EXPECT_EQ(decisions[1].kind, Decision::Kind::kProbe);
  EXPECT_THAT(decisions[1].outcome->divergence, testing::ElementsAre(0.3, 0.1, std::nullopt));
}

TEST_F(EpisodesTest, PrintsOfOlderLogsWhatTheyHold) {
  for (const int version : {1, 2}) {
    events_.clear();
    LogProblem(version);
    ProposalEvent proposal;
    for (int step = 0; step < 2; ++step) {
      proposal.step = step;
      proposal.choice = {step == 0 ? 4 : 2, 8};
      Log(proposal);
      TransitionEvent answer;
      answer.step = step;
      answer.transition.choice = proposal.choice;
      answer.transition.status = TransitionStatus::kMeasured;
      answer.transition.latency_ns = 700.0;
      answer.transition.loss = 0.6;
      answer.transition.accuracy = 0.7;
      Log(answer);
    }
    const std::vector<Decision> decisions = Read();
    ASSERT_EQ(decisions.size(), 2U) << version;
    EXPECT_EQ(decisions[1].step, 1);
    ASSERT_EQ(decisions[1].changes.size(), 1U);
    EXPECT_EQ(decisions[1].changes[0].from, 4);  // the step before
    EXPECT_NEAR(*decisions[1].outcome->ratio, 0.7, 1e-12);
    EXPECT_FALSE(decisions[1].outcome->reward.has_value());
    EXPECT_FALSE(decisions[1].outcome->at.has_value());
  }
}

TEST_F(EpisodesTest, NamesTheEventThatAnswersNothing) {
  LogProblem(3);
  Log(Answer(Trial(7, 0, {4, 4}, 0), 10, 0.8, 0.7));
  const Result<Episodes> episodes = ReadEpisodes(config_, events_);
  EXPECT_EQ(episodes.status().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(episodes.status().message(), HasSubstr("event 5 (transition)"));
}

}  // namespace
}  // namespace bitpilot

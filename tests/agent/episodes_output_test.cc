#include "agent/cli/episodes_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;

Decision Trial() {
  Decision decision;
  decision.step = 11;
  decision.ticket = 12;
  decision.from = 9;
  decision.choice = {4, 4};
  decision.changes = {{DecisionVariable::Kind::kWeights, "conv2", 8, 4},
                      {DecisionVariable::Kind::kActivations, "conv1", 8, 6}};
  decision.pace = {10, 0.5, 0.4};
  decision.classes = {"bench"};
  decision.origin = Origin::kFrontNeighbour;
  decision.reason = "neighbour of the front";
  decision.figures = DecisionFigures{0.5, 0.1, 0.3, 0.2, 0.1};
  DecisionOutcome outcome;
  outcome.status = TransitionStatus::kMeasured;
  outcome.at = Progress{120, 150};
  outcome.loss = 0.52;
  outcome.accuracy = 0.84;
  outcome.excess = ExcessLoss{0.06, 0.01};
  outcome.ratio = 0.567;
  outcome.ratio_low = 0.561;
  outcome.ratio_high = 0.573;
  outcome.classes = {{"bench", Measured{0.567, 0.561, 0.573}, 2.5}};
  outcome.reward = -0.72;
  outcome.on_front = true;
  decision.outcome = outcome;
  decision.is_place = true;
  return decision;
}

TEST(EpisodesOutputTest, PutsADecisionAndWhatCameOfItOnOneLine) {
  EXPECT_EQ(DescribeDecision(Trial()),
            "#12 step 12 from #9: 2 widths (conv2 w8>4, conv1 a8>6), 10 mini-batches; neighbour of "
            "the front; expected loss 0.5000 +- 0.1960, value 0.3000 (staying 0.2000, stopping "
            "0.1000) => loss 0.5200 (8 bit +0.0600 +- 0.0196), accuracy 0.8400, 0.567x "
            "(0.561..0.573), reward -0.7200, on the front, went on from there");
}

TEST(EpisodesOutputTest, NamesNoClassThatTheUserDidNot) {
  Decision decision = Trial();
  decision.outcome = DecisionOutcome();
  decision.outcome->classes = {{kOnlyClass, BoardUnavailable{"unplugged"}, 0.0}};
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("no board of this fleet: unplugged"));
  decision.outcome->classes = {{kOnlyClass, CandidateFailed{"CRASH"}, 0.1}};
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("failed on the board: CRASH"));
}

TEST(EpisodesOutputTest, CallsAClassWhatADecisionIsMeasuredOn) {
  const nlohmann::json line = DecisionLine(Trial());
  EXPECT_EQ(line["on"], nlohmann::json({"bench"}));
  EXPECT_FALSE(line.contains("board")) << "a board is of an outcome's class";
}

TEST(EpisodesOutputTest, SaysWhyThereIsNoNumber) {
  Decision decision = Trial();
  decision.figures.reset();
  decision.outcome = DecisionOutcome();
  decision.outcome->status = TransitionStatus::kFailed;
  decision.outcome->classes = {{"bench", CandidateFailed{"CRASH: signal 11"}, 0.1}};
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("=> failed on bench: CRASH: signal 11"));
  EXPECT_THAT(DescribeDecision(decision), Not(HasSubstr("expected")));
  decision.outcome->classes = {{"bench", BoardUnavailable{"unplugged"}, 0.0}};
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("no board of class 'bench': unplugged"));
  decision.outcome.reset();
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("=> in flight"));
}

TEST(EpisodesOutputTest, ShortensALongListOfWidths) {
  Decision decision = Trial();
  decision.changes.assign(17, decision.changes.front());
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("17 widths ("));
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("and 13 more)"));
  decision.changes.clear();
  EXPECT_THAT(DescribeDecision(decision), HasSubstr("from #9: same widths, 10 mini-batches"));
}

TEST(EpisodesOutputTest, GivesScriptsTheSame) {
  const nlohmann::json line = DecisionLine(Trial());
  EXPECT_EQ(line["type"], "decision");
  EXPECT_EQ(line["ticket"], 12);
  EXPECT_EQ(line["changes"][0]["name"], "conv2");
  EXPECT_EQ(line["expected"]["loss"], 0.5);
  EXPECT_EQ(line["outcome"]["status"], "measured");
  EXPECT_EQ(line["outcome"]["excess_loss"], 0.06);
  EXPECT_EQ(line["outcome"]["latency_ratio_ci"], nlohmann::json({0.561, 0.573}));
  EXPECT_EQ(line["outcome"]["reward"], -0.72);
  EXPECT_EQ(line["outcome"]["depth"], 120);
  EXPECT_EQ(line["place"], true);
  Decision stop;
  stop.kind = Decision::Kind::kStop;
  stop.from = 12;
  EXPECT_EQ(DescribeDecision(stop), "stop at #12");
  stop.num_finalists = 3;
  EXPECT_EQ(DescribeDecision(stop), "stop at #12, to train 3 networks further");
  EXPECT_EQ(DecisionLine(stop)["finalists"], 3);
  EXPECT_TRUE(DecisionLine(stop)["outcome"].is_null());
  EXPECT_TRUE(DecisionLine(stop)["step"].is_null());
}

}  // namespace
}  // namespace bitpilot

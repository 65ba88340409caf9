// Boards whose truth is known: which of them may measure for one class.
#include "agent/study/board_agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

constexpr int kNetworks = 8;
constexpr int kShapeRounds = 21;

// A machine that runs the reference networks. Latencies are those of one class: uniform 8 bit, the narrowest
// network, and others between them.
struct SimulatedBoard {
  std::string name;
  double factor = 1.0;         // of all latencies
  double narrow_factor = 1.0;  // of the time that a network saves beside uniform 8 bit
  double scatter = 0.01;       // of a window
  double layout = 0.0;         // of a network's place in memory, anew in each measurement
  double drift = 0.0;          // of the clock, from the first round to the last
};

std::vector<double> TruthOf(const SimulatedBoard& board) {
  std::vector<double> truth;
  for (int k = 0; k < kNetworks; ++k) {
    // 1 of the narrowest network, 0 of uniform 8 bit.
    const double narrow = k == 0 ? 0.0 : k == 1 ? 1.0 : static_cast<double>(k - 1) / kNetworks;
    const double ratio = (1.0 - narrow) + narrow * 0.5 * board.narrow_factor;
    truth.push_back(4e5 * board.factor * ratio);
  }
  return truth;
}

NetworkShape Measure(const SimulatedBoard& board, RandomStream& random) {
  std::vector<std::vector<double>> latency_ns;
  for (const double truth : TruthOf(board)) {
    const double place = 1.0 + board.layout * random.NextNormal();
    std::vector<double>& windows = latency_ns.emplace_back();
    for (int round = 0; round < kShapeRounds; ++round) {
      const double clock = 1.0 + board.drift * round / kShapeRounds;
      windows.push_back(truth * place * clock * std::exp(board.scatter * random.NextNormal()));
    }
  }
  return ShapeOf(latency_ns);
}

// As a search does: each board measures once, and those that do not agree again.
ClassVerdict MeasureAndJudge(const std::vector<SimulatedBoard>& boards, RandomStream& random,
                             int* num_measurements = nullptr) {
  std::vector<BoardShapes> shapes;
  for (const SimulatedBoard& board : boards) {
    shapes.push_back({board.name, {Measure(board, random)}});
  }
  while (true) {
    const std::vector<std::size_t> again = BoardsToRepeat(shapes, std::nullopt);
    if (again.empty()) break;
    for (const std::size_t i : again) shapes[i].measured.push_back(Measure(boards[i], random));
  }
  if (num_measurements != nullptr) {
    for (const BoardShapes& board : shapes) {
      *num_measurements += static_cast<int>(board.measured.size());
    }
  }
  return JudgeBoards(shapes, std::nullopt);
}

std::vector<std::string> LeftOut(const ClassVerdict& verdict) {
  std::vector<std::string> names;
  for (const BoardVerdict& board : verdict.boards) {
    if (!board.is_pooled) names.push_back(board.board);
  }
  return names;
}

const BoardAgreement& AgreementOf(const ClassVerdict& verdict, std::size_t board) {
  return *verdict.boards.at(board).agreement;
}

TEST(BoardAgreementTest, AnExactBoardHasItsFactorAndNothingElse) {
  RandomStream random(1, "exact");
  const SimulatedBoard one{.name = "one", .scatter = 0.0};
  const SimulatedBoard slow{.name = "slow", .factor = 1.25, .scatter = 0.0};
  const BoardAgreement agreement =
      CompareBoards({"slow", {Measure(slow, random)}}, {"one", {Measure(one, random)}});
  EXPECT_NEAR(agreement.factor, 1.25, 1e-12);
  EXPECT_NEAR(agreement.residual, 0.0, 1e-12);
  EXPECT_NEAR(agreement.noise, 0.0, 1e-12);
  EXPECT_TRUE(agreement.is_close());
}

// Two networks, of which one is slower by a factor e^0.1: deviations of +-0.05 from their mean, and a
// coefficient of variation of 0.05 sqrt(2).
TEST(BoardAgreementTest, TheResidualIsTheStandardDeviationOfTheLogarithms) {
  const std::vector<double> fast(9, 1e5);
  const std::vector<double> slow(9, 1e5 * std::exp(0.1));
  const BoardAgreement agreement =
      CompareBoards({"b", {ShapeOf({fast, slow})}}, {"a", {ShapeOf({fast, fast})}});
  EXPECT_NEAR(agreement.residual, 0.05 * std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(agreement.factor, std::exp(0.05), 1e-12);
  EXPECT_EQ(agreement.worst_network, 1);
  EXPECT_NEAR(agreement.expected_ratio, 1.0, 1e-12);
  EXPECT_NEAR(agreement.ratio, std::exp(0.1), 1e-12);
}

// A round that was slow as a whole is no difference between networks.
TEST(BoardAgreementTest, WhatSlowsDownWholeRoundsCancels) {
  std::vector<double> first;
  std::vector<double> second;
  for (int round = 0; round < 9; ++round) {
    const double slow = round % 3 == 0 ? 1.7 : 1.0;
    first.push_back(1e5 * slow);
    second.push_back(6e4 * slow);
  }
  const NetworkShape steady = ShapeOf({std::vector<double>(9, 1e5), std::vector<double>(9, 6e4)});
  const BoardAgreement agreement =
      CompareBoards({"b", {ShapeOf({first, second})}}, {"a", {steady}});
  EXPECT_NEAR(agreement.residual, 0.0, 1e-12);
  EXPECT_NEAR(agreement.factor, 1.0, 1e-12);
}

// Slower by one factor, whatever runs: the same ratios.
TEST(BoardAgreementTest, PoolsABoardThatIsThreePercentSlowerWithItsFactor) {
  RandomStream random(2, "slower");
  const ClassVerdict verdict =
      MeasureAndJudge({{.name = "a"}, {.name = "b", .factor = 1.03}, {.name = "c"}}, random);
  EXPECT_TRUE(LeftOut(verdict).empty());
  EXPECT_FALSE(verdict.is_last_resort);
  const double of_b = AgreementOf(verdict, 1).factor;
  const double of_a = AgreementOf(verdict, 0).factor;
  EXPECT_NEAR(of_b / of_a, 1.03, 0.005);
}

// The narrowest network takes a tenth more of its time, the others less.
TEST(BoardAgreementTest, LeavesOutABoardOnWhichNarrowNetworksAreSlower) {
  int left_out = 0;
  for (int run = 0; run < 200; ++run) {
    RandomStream random(3, "narrow", static_cast<std::uint64_t>(run));
    const ClassVerdict verdict = MeasureAndJudge(
        {{.name = "odd", .narrow_factor = 1.1}, {.name = "a"}, {.name = "b"}}, random);
    EXPECT_NE(verdict.reference, "odd") << "most agree with another one";
    left_out += LeftOut(verdict) == std::vector<std::string>{"odd"} ? 1 : 0;
  }
  EXPECT_GE(left_out, 198);
}

TEST(BoardAgreementTest, NamesTheNetworkThatDiffersAndByHowMuch) {
  RandomStream random(4, "names");
  const SimulatedBoard one{.name = "one", .scatter = 0.0};
  const SimulatedBoard odd{.name = "odd", .narrow_factor = 1.2, .scatter = 0.0};
  const BoardAgreement agreement =
      CompareBoards({"odd", {Measure(odd, random)}}, {"one", {Measure(one, random)}});
  EXPECT_EQ(agreement.worst_network, 1) << "the narrowest";
  EXPECT_NEAR(agreement.expected_ratio, 0.5, 1e-12);
  EXPECT_NEAR(agreement.ratio, 0.6, 1e-12);
  EXPECT_FALSE(agreement.is_close());
}

// The standard deviation of eight networks, of which one differs by 2.5 %, is 0.9 %. If that one is uniform
// 8 bit, no ratio on the board is its class's.
TEST(BoardAgreementTest, LeavesOutABoardOnWhichOneNetworkAloneDiffers) {
  const auto shape_of = [](std::size_t odd, double factor) {
    std::vector<std::vector<double>> latency_ns(kNetworks, std::vector<double>(9, 1e5));
    for (double& window : latency_ns[odd]) window *= factor;
    return ShapeOf(latency_ns);
  };
  const BoardShapes reference{"a", {shape_of(0, 1.0)}};
  for (const std::size_t odd : {0, 3}) {
    const BoardAgreement agreement = CompareBoards({"b", {shape_of(odd, 1.025)}}, reference);
    EXPECT_LT(agreement.residual, kMaxResidual);
    EXPECT_NEAR(agreement.ratio_difference(), 0.025, 1e-9);
    EXPECT_FALSE(agreement.is_close()) << odd;
    EXPECT_TRUE(CompareBoards({"b", {shape_of(odd, 1.0 / 1.015)}}, reference).is_close()) << odd;
  }
}

// Windows that scatter by 12 %: three measurements leave 2 %. What it says of the noise is about that.
TEST(BoardAgreementTest, LeavesOutABoardThatIsTooNoisyToTell) {
  int left_out = 0;
  double noise = 0.0;
  double residual = 0.0;
  constexpr int kRuns = 100;
  for (int run = 0; run < kRuns; ++run) {
    RandomStream random(5, "noisy", static_cast<std::uint64_t>(run));
    const ClassVerdict verdict =
        MeasureAndJudge({{.name = "a"}, {.name = "b"}, {.name = "noisy", .scatter = 0.12}}, random);
    left_out += LeftOut(verdict) == std::vector<std::string>{"noisy"} ? 1 : 0;
    noise += AgreementOf(verdict, 2).noise / kRuns;
    residual += AgreementOf(verdict, 2).residual / kRuns;
  }
  EXPECT_GE(left_out, 90);
  EXPECT_NEAR(noise / residual, 1.0, 0.2);
}

// Four boards that are alike, whose windows scatter by 1 % and whose networks lie in another place in
// memory each time, worth 0.4 %; clocks drift and differ.
TEST(BoardAgreementTest, SeldomLeavesOutABoardThatIsLikeTheOthers) {
  constexpr int kClasses = 2000;
  int left_out = 0;
  int measurements = 0;
  for (int run = 0; run < kClasses; ++run) {
    RandomStream random(6, "alike", static_cast<std::uint64_t>(run));
    std::vector<SimulatedBoard> boards;
    for (int board = 0; board < 4; ++board) {
      boards.push_back({.name = std::string(1, static_cast<char>('a' + board)),
                        .factor = 1.0 + 0.01 * board,
                        .scatter = 0.01,
                        .layout = 0.004,
                        .drift = board == 2 ? 0.05 : 0.0});
    }
    left_out += static_cast<int>(LeftOut(MeasureAndJudge(boards, random, &measurements)).size());
  }
  EXPECT_LE(left_out, 4 * kClasses / 1000) << "of " << 4 * kClasses;
  EXPECT_LE(measurements, 4 * kClasses * 5 / 4) << "most are measured once";
}

TEST(BoardAgreementTest, TheFirstBoardStaysWhereTwoDisagree) {
  RandomStream random(7, "two");
  const SimulatedBoard one{.name = "one", .scatter = 0.0};
  const SimulatedBoard odd{.name = "odd", .narrow_factor = 1.5, .scatter = 0.0};
  const ClassVerdict verdict = MeasureAndJudge({odd, one}, random);
  EXPECT_EQ(verdict.reference, "odd");
  EXPECT_EQ(LeftOut(verdict), std::vector<std::string>{"one"});
  EXPECT_FALSE(verdict.is_last_resort);
}

// Later boards are compared with what the class was compared with, whoever is there.
TEST(BoardAgreementTest, WhoComesLaterIsComparedWithTheReferenceOfTheClass) {
  RandomStream random(8, "later");
  const BoardShapes standing{"one", {Measure({.name = "one"}, random)}};
  const std::vector<BoardShapes> boards = {
      {"odd", {Measure({.name = "odd", .narrow_factor = 1.3}, random)}},
      {"odd too", {Measure({.name = "odd too", .narrow_factor = 1.3}, random)}},
      {"like it", {Measure({.name = "like it"}, random)}}};
  const ClassVerdict verdict = JudgeBoards(boards, standing);
  EXPECT_EQ(verdict.reference, "one");
  EXPECT_EQ(LeftOut(verdict), (std::vector<std::string>{"odd", "odd too"}));
  EXPECT_EQ(BoardsToRepeat(boards, standing), (std::vector<std::size_t>{0, 1}));
}

TEST(BoardAgreementTest, AClassGoesOnWithTheOnlyBoardThatIsLeft) {
  RandomStream random(9, "left");
  const BoardShapes standing{"one", {Measure({.name = "one"}, random)}};
  const ClassVerdict verdict =
      JudgeBoards({{"odd", {Measure({.name = "odd", .narrow_factor = 1.3}, random)}}}, standing);
  EXPECT_TRUE(verdict.is_last_resort);
  EXPECT_EQ(verdict.reference, "odd");
  EXPECT_TRUE(LeftOut(verdict).empty());
}

TEST(BoardAgreementTest, ABoardThatCannotMeasureIsLeftOutUnlessAllAreSo) {
  RandomStream random(10, "cannot");
  const BoardShapes sound{"sound", {Measure({.name = "sound"}, random)}};
  const BoardShapes broken{"broken", {}};
  const ClassVerdict verdict = JudgeBoards({broken, sound}, std::nullopt);
  EXPECT_EQ(verdict.reference, "sound");
  EXPECT_EQ(LeftOut(verdict), std::vector<std::string>{"broken"});
  EXPECT_FALSE(verdict.boards[0].agreement);
  EXPECT_TRUE(BoardsToRepeat({broken, sound}, std::nullopt).empty());

  const ClassVerdict none = JudgeBoards({broken, {"broken too", {}}}, std::nullopt);
  EXPECT_TRUE(none.is_last_resort);
  EXPECT_EQ(LeftOut(none), std::vector<std::string>{"broken too"});
}

TEST(BoardAgreementTest, NobodyIsMeasuredMoreThanThreeTimes) {
  RandomStream random(11, "times");
  const SimulatedBoard odd{.name = "odd", .narrow_factor = 1.5};
  int measurements = 0;
  MeasureAndJudge({{.name = "a"}, {.name = "b"}, odd}, random, &measurements);
  EXPECT_LE(measurements, 3 + 3 + 1) << "the odd one, the reference, and the other one once";
}

}  // namespace
}  // namespace bitpilot

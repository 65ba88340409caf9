#include "experiments/headline/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/headline/headline_table.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kImages = 1000;

// The first `right` images are classed right.
TrainedRow NetworkOf(const std::string& name, int right, double ratio) {
  TrainedRow row;
  row.name = name;
  if (name != kFoundName) {
    row.training = "2e-4";
    row.trainings = {{"2e-4", 0.9}};
  }
  row.validation_accuracy = 0.9;
  row.predictions = std::string(static_cast<std::size_t>(right), '3') +
                    std::string(static_cast<std::size_t>(kImages - right), '5');
  row.latency_ratio = ratio;
  row.latency_low = ratio - 0.001;
  row.latency_high = ratio + 0.001;
  return row;
}

// Found: 900 of 1,000 at .5; 8 bit 904; w4a4 slower and better; w2a4 faster and 10 images worse.
SeedResult SeedOf(std::uint64_t number) {
  SeedResult seed;
  seed.seed = number;
  seed.machine = {"bitpilot 1", "kernels 1", "CPU 1"};
  seed.found_label = "front 1";
  seed.search_seconds = 2600.0;
  seed.search_cpu_seconds = 2500.0;
  seed.verdict = kOkVerdict;
  seed.labels = std::string(kImages, '3');
  seed.rows = {NetworkOf(kFoundName, 900, 0.5), NetworkOf(kUniform8Name, 904, 1.0),
               NetworkOf("w4a4", 902, 0.55), NetworkOf("w2a4", 890, 0.4),
               NetworkOf("program", 895, 0.5)};
  for (TrainedRow& row : seed.rows) row.found_ratio = 0.5 / row.latency_ratio;
  return seed;
}

std::vector<SeedResult> ThreeSeeds() { return {SeedOf(1), SeedOf(2), SeedOf(3)}; }

void SetRow(std::vector<SeedResult>& seeds, std::size_t row, int right, double ratio) {
  for (SeedResult& seed : seeds) {
    seed.rows[row] = NetworkOf(seed.rows[row].name, right, ratio);
    seed.rows[row].found_ratio = 0.5 / ratio;
  }
}

TEST(HeadlineVerdictTest, IsMetByAFastAccurateNetworkThatNoOtherMatches) {
  const Verdict verdict = Judge(ThreeSeeds());
  EXPECT_EQ(verdict.not_judged, "");
  EXPECT_EQ(verdict.minutes, Judgement::kMet);
  EXPECT_EQ(verdict.loss, Judgement::kMet);
  EXPECT_EQ(verdict.rival.judgement, Judgement::kMet);
  EXPECT_EQ(verdict.rival.name, "w4a4");
  EXPECT_EQ(verdict.near_rival.judgement, Judgement::kMet);
  EXPECT_EQ(verdict.seeds_that_hold, 3);
  EXPECT_THAT(BarsText(ThreeSeeds()), Not(HasSubstr("NOT met")));
}

TEST(HeadlineVerdictTest, IsMetWhereAllOthersLoseMore) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  SetRow(seeds, 2, 890, 0.45);
  const Verdict verdict = Judge(seeds);
  EXPECT_EQ(verdict.rival.name, "");
  EXPECT_EQ(verdict.rival.judgement, Judgement::kMet);
  EXPECT_THAT(BarsText(seeds), HasSubstr("lose no more there is none: met"));
}

TEST(HeadlineVerdictTest, IsNotMetByMoreThanHalfAPointBelowTheBest8Bit) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  SetRow(seeds, 1, 905, 1.0);
  EXPECT_EQ(Judge(seeds).loss, Judgement::kMet) << "exactly half a point";
  SetRow(seeds, 1, 906, 1.0);
  EXPECT_EQ(Judge(seeds).loss, Judgement::kNotMet);
  EXPECT_EQ(Judge(seeds).seeds_that_hold, 0);
}

TEST(HeadlineVerdictTest, IsNotMetByASlowNetwork) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  for (SeedResult& seed : seeds) seed.rows[0].latency_ratio = 0.521;
  EXPECT_EQ(Judge(seeds).loss, Judgement::kNotMet);
}

TEST(HeadlineVerdictTest, IsNotMetBesideAFasterOneThatLosesNoMore) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  SetRow(seeds, 4, 900, 0.49);
  const Verdict verdict = Judge(seeds);
  EXPECT_EQ(verdict.rival.name, "program");
  EXPECT_EQ(verdict.rival.judgement, Judgement::kNotMet);
  EXPECT_EQ(verdict.seeds_that_hold, 0);
  EXPECT_THAT(BarsText(seeds), HasSubstr("fastest is program"));
}

TEST(HeadlineVerdictTest, TakesATieWithinOnePercent) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  SetRow(seeds, 4, 900, 0.496);
  EXPECT_EQ(Judge(seeds).rival.name, "program") << "as accurate: it counts";
  EXPECT_EQ(Judge(seeds).rival.judgement, Judgement::kMet);
}

TEST(HeadlineVerdictTest, SaysInASecondVerdictWhatLosesAnImageMore) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  SetRow(seeds, 3, 899, 0.4);
  const Verdict verdict = Judge(seeds);
  EXPECT_EQ(verdict.rival.name, "w4a4");
  EXPECT_EQ(verdict.rival.judgement, Judgement::kMet);
  EXPECT_EQ(verdict.near_rival.name, "w2a4");
  EXPECT_EQ(verdict.near_rival.judgement, Judgement::kNotMet);
  SetRow(seeds, 3, 898, 0.4);
  EXPECT_EQ(Judge(seeds).near_rival.name, "w4a4") << "two images of 1,000 are more than .1 point";
}

TEST(HeadlineVerdictTest, CountsAnEqualMeanAsNoLoss) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  const int right[] = {903, 899, 898};  // 2,700 in all, as the found network
  for (std::size_t s = 0; s < 3; ++s) {
    seeds[s].rows[3] = NetworkOf("w2a4", right[s], 0.4);
    seeds[s].rows[3].found_ratio = 1.25;
  }
  EXPECT_EQ(Judge(seeds).rival.name, "w2a4");
  EXPECT_EQ(Judge(seeds).rival.judgement, Judgement::kNotMet);
  EXPECT_EQ(Judge(seeds).seeds_that_hold, 2);
}

TEST(HeadlineVerdictTest, CallsNothingFoundThatHasTheProgramsWidths) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  seeds[1].rows[4].has_found_widths = true;
  const Verdict verdict = Judge(seeds);
  EXPECT_THAT(verdict.nothing_found,
              ElementsAre("seed 2: the search found nothing better than program"));
  EXPECT_EQ(verdict.loss, Judgement::kMet);
  EXPECT_EQ(verdict.rival.judgement, Judgement::kNotMet);
  EXPECT_EQ(verdict.near_rival.judgement, Judgement::kNotMet);
  EXPECT_EQ(verdict.seeds_that_hold, 2);
  const Result<std::string> text = HeadlineText(seeds);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, HasSubstr("| 1 | found |"));
  EXPECT_THAT(*text, Not(HasSubstr("| 2 | found |")));
  EXPECT_THAT(*text, HasSubstr("| 2 | nothing found (has the widths of program) |"));
  EXPECT_THAT(*text, HasSubstr("but the search found nothing: NOT met"));
}

TEST(HeadlineVerdictTest, CallsNothingFoundThatIsAnotherAnswerOfTheProgram) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  seeds[0].found_is_program_answer = true;
  EXPECT_EQ(NothingBetterThan(seeds[0]), "another answer of the program");
  EXPECT_EQ(NothingBetterThan(seeds[1]), std::nullopt);
  EXPECT_EQ(Judge(seeds).rival.judgement, Judgement::kNotMet);
}

TEST(HeadlineVerdictTest, JudgesNothingThatIsNoisyButTheMinutes) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  seeds[2].verdict = "NOISY: drift";
  const Verdict verdict = Judge(seeds);
  EXPECT_EQ(verdict.not_judged, "seed 3 was measured NOISY: drift");
  EXPECT_EQ(verdict.loss, Judgement::kNotJudged);
  EXPECT_EQ(verdict.rival.judgement, Judgement::kNotJudged);
  EXPECT_EQ(verdict.near_rival.judgement, Judgement::kNotJudged);
  EXPECT_EQ(verdict.minutes, Judgement::kMet);
  EXPECT_EQ(verdict.seeds_that_hold, 2);
}

TEST(HeadlineVerdictTest, JudgesNothingOfTwoSeeds) {
  const std::vector<SeedResult> seeds = {SeedOf(1), SeedOf(2)};
  EXPECT_EQ(Judge(seeds).not_judged, "fewer than 3 seeds");
  EXPECT_EQ(Judge(seeds).loss, Judgement::kNotJudged);
  EXPECT_EQ(Judge(seeds).seeds_that_hold, 2);
  EXPECT_THAT(BarsText(seeds), HasSubstr("best 8 bit: not judged"));
}

TEST(HeadlineVerdictTest, HoldsEverySearchTo45Minutes) {
  std::vector<SeedResult> seeds = ThreeSeeds();
  seeds[0].search_seconds.reset();
  seeds[0].search_cpu_seconds.reset();
  EXPECT_EQ(Judge(seeds).minutes, Judgement::kNotJudged);
  EXPECT_THAT(BarsText(seeds), HasSubstr("not judged (seed 1's time is unknown"));
  seeds[2].search_seconds = 2700.5;
  EXPECT_EQ(Judge(seeds).minutes, Judgement::kNotMet) << "whatever seed 1 took";
  EXPECT_EQ(Judge(seeds).minutes_reason, "seed 3 took longer");
}

TEST(RowsOfSeedsTest, PairSeedsAndImages) {
  std::vector<SeedResult> seeds = {SeedOf(1), SeedOf(2)};
  seeds[1].rows[3] = NetworkOf("w2a4", 902, 0.4);
  const RowOfSeeds row = RowsOf(seeds)[3];
  EXPECT_THAT(row.test, ElementsAre(0.890, 0.902));
  EXPECT_THAT(row.found_gain, ElementsAre(0.010, -0.002));
  EXPECT_EQ(row.mean_gain, 0.004);
  EXPECT_EQ(row.image_gain[889], 0.0);
  EXPECT_EQ(row.image_gain[890], 0.5) << "on one of two seeds";
  EXPECT_EQ(row.image_gain[899], 0.5);
  EXPECT_EQ(row.image_gain[900], -0.5);
  EXPECT_EQ(row.image_gain[902], 0.0);
}

TEST(CheckSeedsTest, RefusesWhatIsNotComparable) {
  EXPECT_TRUE(CheckSeeds(ThreeSeeds()).ok());
  const auto message = [](auto change) {
    std::vector<SeedResult> seeds = ThreeSeeds();
    change(seeds[1]);
    return CheckSeeds(seeds).message();
  };
  EXPECT_THAT(message([](SeedResult& seed) { seed.seed = 1; }), HasSubstr("seed 1 is there twice"));
  EXPECT_THAT(message([](SeedResult& seed) { seed.rows.pop_back(); }), HasSubstr("other rows"));
  EXPECT_THAT(message([](SeedResult& seed) { seed.rows[2].predictions.pop_back(); }),
              HasSubstr("seed 2, w4a4: 999 predictions of 1000"));
  EXPECT_THAT(message([](SeedResult& seed) { seed.labels[0] = '4'; }),
              HasSubstr("other test images"));
  EXPECT_THAT(message([](SeedResult& seed) { seed.machine.agent_build = "bitpilot 2"; }),
              HasSubstr("different agents in one table: seed 1 is of \"bitpilot 1\""));
  EXPECT_THAT(message([](SeedResult& seed) { seed.machine.kernel_build = "kernels 2"; }),
              HasSubstr("different kernels"));
  EXPECT_THAT(message([](SeedResult& seed) { seed.machine.cpu = "CPU 2"; }),
              HasSubstr("different CPUs"));
  EXPECT_FALSE(CheckSeeds({}).ok());
}

TEST(BestTrainingTest, IsChosenByValidation) {
  EXPECT_EQ(BestTraining({{"untrained", 0.90}, {"6e-4", 0.88}, {"2e-4", 0.91}}), 2U);
  EXPECT_EQ(BestTraining({{"untrained", 0.91}, {"6e-4", 0.88}, {"2e-4", 0.91}}), 0U);
}

TEST(SeedResultTest, ReadsWhatItWrote) {
  const std::string path = testing::TempDir() + "headline_seed.json";
  SeedResult seed = SeedOf(7);
  seed.found_is_program_answer = true;
  seed.rows[4].has_found_widths = true;
  ASSERT_TRUE(WriteSeedResult(path, seed).ok());
  Result<SeedResult> read = ReadSeedResult(path);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*HeadlineText({*read}), *HeadlineText({seed}));
  EXPECT_EQ(read->found_is_program_answer, true);
  EXPECT_EQ(read->search_seconds, 2600.0);
  seed.search_seconds.reset();
  seed.search_cpu_seconds.reset();
  ASSERT_TRUE(WriteSeedResult(path, seed).ok());
  read = ReadSeedResult(path);
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->search_seconds.has_value());
  std::filesystem::remove(path);
}

TEST(ClassDigitsTest, RefusesWhatIsNoDigit) {
  EXPECT_EQ(*ClassDigits({0, 9, 3}), "093");
  EXPECT_EQ(ClassDigits({10}).status().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace bitpilot

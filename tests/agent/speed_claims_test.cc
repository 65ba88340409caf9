// What may be said about speeds, by hand-made rounds.
#include "agent/results/speed_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kRounds = 24;

// Windows of `level` with noise of +-1 %, of which the wall time has `stolen` on top.
MeasurementRow Row(double level, unsigned seed, double stolen = 0.0) {
  std::mt19937 random(seed);
  MeasurementRow row;
  row.status = "OK";
  row.source = "measured";
  for (int round = 0; round < kRounds; ++round) {
    row.window_cpu_ns.push_back(level * (0.99 + 0.02 * (random() % 1000) / 1000.0));
    row.window_ns.push_back(row.window_cpu_ns.back() + level * stolen);
  }
  row.latency_median_ns = row.latency_low_ns = row.latency_high_ns = row.window_ns.front();
  return row;
}

std::vector<FinalRow> Judge(const InterleavedRows& compared, int num_tables = 1) {
  std::vector<FinalRow> finals(compared.rows.size());
  JudgeSpeeds(compared, num_tables, finals);
  return finals;
}
std::vector<FinalRow> Judge(const std::vector<MeasurementRow>& rows, int num_tables = 1) {
  return Judge(InterleavedRows{rows, std::vector<std::size_t>(rows.size(), 0), {rows.front()}},
               num_tables);
}

TEST(SpeedClaimsTest, SaysFasterAndSlowerWhereAllRoundsAgree) {
  const auto finals = Judge({Row(1000, 1), Row(900, 2), Row(1100, 3)});
  EXPECT_EQ(finals[0].speed, std::nullopt);
  EXPECT_EQ(finals[1].speed, Speed::kFaster);
  EXPECT_EQ(finals[2].speed, Speed::kSlower);
  EXPECT_LT(finals[1].speed_p_value, 1e-6);
  for (const FinalRow& row : finals) EXPECT_THAT(row.as_fast_as, IsEmpty());
}

TEST(SpeedClaimsTest, NamesWhoIsNotToldApart) {
  const auto finals = Judge({Row(1000, 1), Row(900, 2), Row(900, 3), Row(800, 4)});
  EXPECT_THAT(finals[1].as_fast_as, ElementsAre(2));
  EXPECT_THAT(finals[2].as_fast_as, ElementsAre(1));
  EXPECT_THAT(finals[3].as_fast_as, IsEmpty());
}

TEST(SpeedClaimsTest, EqualNetworksAreNoDifference) {
  const auto finals = Judge({Row(1000, 1), Row(1000, 2)});
  EXPECT_EQ(finals[1].speed, Speed::kNoDifference);
  EXPECT_THAT(finals[0].as_fast_as, ElementsAre(1));
}

// In the second part everything took half as long again, uniform 8 bit too.
TEST(SpeedClaimsTest, ComparesOnlyWhatSharedRounds) {
  const InterleavedRows compared{
      {Row(1000, 1), Row(900, 2), Row(900, 3), Row(1350, 4), Row(1500, 5)},
      {0, 0, 0, 1, 1},
      {Row(1000, 1), Row(1500, 6)}};
  const auto finals = Judge(compared);
  EXPECT_EQ(finals[1].speed, Speed::kFaster);
  EXPECT_EQ(finals[3].speed, Speed::kFaster) << "than uniform 8 bit of its own part";
  EXPECT_EQ(finals[4].speed, Speed::kNoDifference);
  EXPECT_THAT(finals[0].as_fast_as, ElementsAre(4));
  EXPECT_THAT(finals[1].as_fast_as, ElementsAre(2));
  EXPECT_THAT(finals[3].as_fast_as, IsEmpty());
  // Equal times, but of different parts.
  const auto apart = Judge(InterleavedRows{
      {Row(1000, 1), Row(900, 2), Row(900, 2)}, {0, 0, 1}, {Row(1000, 1), Row(1000, 1)}});
  EXPECT_THAT(apart[1].as_fast_as, IsEmpty());
  EXPECT_THAT(apart[2].as_fast_as, IsEmpty());
}

// 19 of 24 rounds: p = 0.0066 convinces alone, and neither among 55 pairs nor in two tables.
TEST(SpeedClaimsTest, DemandsMoreOfLargerAndOfSeveralTables) {
  MeasurementRow reference = Row(1000, 1);
  MeasurementRow candidate = reference;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const double factor = round < 19 ? 0.9 : 1.1;
    candidate.window_ns[round] = reference.window_ns[round] * factor;
    candidate.window_cpu_ns[round] = reference.window_cpu_ns[round] * factor;
  }
  const std::vector<MeasurementRow> pair{reference, candidate};
  EXPECT_EQ(Judge(pair)[1].speed, Speed::kFaster);
  EXPECT_EQ(Judge(pair, /*num_tables=*/2)[1].speed, Speed::kNoDifference);
  EXPECT_EQ(Judge(pair, /*num_tables=*/2)[1].speed_p_value, Judge(pair)[1].speed_p_value);
  std::vector<MeasurementRow> table{reference, candidate};
  while (table.size() < 11) table.push_back(Row(500, static_cast<unsigned>(table.size())));
  EXPECT_EQ(Judge(table)[1].speed, Speed::kNoDifference);
}

// A program that ran beside one network only: its wall time grew by 20 %, its CPU time did not.
TEST(SpeedClaimsTest, WhatOtherProgramsTakeCountsForNeither) {
  const MeasurementRow reference = Row(1000, 1);
  const MeasurementRow interrupted = Row(1000, 2, 0.2);
  EXPECT_EQ(Judge({reference, interrupted})[1].speed, Speed::kNoDifference);
  EXPECT_NEAR(RatioOf(interrupted, reference).median, 1.0, 0.01);
  MeasurementRow without_cpu = interrupted;
  without_cpu.window_cpu_ns.clear();
  EXPECT_NEAR(RatioOf(without_cpu, reference).median, 1.2, 0.02);
}

TEST(SpeedClaimsTest, SaysNothingOfModelsAndFailures) {
  MeasurementRow model = Row(900, 2);
  model.source = "MODEL:mpic";
  MeasurementRow failed = Row(900, 3);
  failed.latency_median_ns = failed.latency_low_ns = failed.latency_high_ns = std::nullopt;
  failed.window_ns.clear();
  failed.window_cpu_ns.clear();
  const auto finals = Judge({Row(1000, 1), model, failed});
  for (const FinalRow& row : finals) {
    EXPECT_EQ(row.speed, std::nullopt);
    EXPECT_THAT(row.as_fast_as, IsEmpty());
  }
}

}  // namespace
}  // namespace bitpilot

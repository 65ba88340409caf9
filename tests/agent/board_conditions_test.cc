// Fingerprints: what makes two measurements comparable.
#include "agent/fleet/board_conditions.h"

#include <gtest/gtest.h>

#include "agent/fleet/board.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

BoardInfo ABoard() {
  BoardInfo board;
  board.name = "kitchen";
  board.cpu_model = "Cortex-A76";
  board.isa = "scalar";
  board.daemon_build = "bitpilotd 0.1";
  board.kernel_build = "k1";
  board.backend = "kernels";
  board.os = "Linux 6.1";
  board.architecture = "aarch64";
  board.governor = "performance";
  board.core = "implementer 0x41 part 0xd0b, capacity 1024, CPUs 4-7";
  board.cpu_count = 4;
  return board;
}

TEST(BoardConditionsTest, AFingerprintIsTwelveDigitsAndTheSameForTheSameBoard) {
  const std::string fingerprint = FingerprintOf(ABoard());
  EXPECT_EQ(fingerprint.size(), 12U);
  EXPECT_EQ(fingerprint.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(FingerprintOf(ABoard()), fingerprint);
  EXPECT_EQ(DescribeFingerprintChange(ABoard(), ABoard()), "");
}

TEST(BoardConditionsTest, EverythingThatChangesLatenciesChangesTheFingerprint) {
  const std::string fingerprint = FingerprintOf(ABoard());
  std::string BoardInfo::*const texts[] = {
      &BoardInfo::name,         &BoardInfo::cpu_model,    &BoardInfo::isa,
      &BoardInfo::daemon_build, &BoardInfo::kernel_build, &BoardInfo::backend,
      &BoardInfo::model_source, &BoardInfo::os,           &BoardInfo::architecture,
      &BoardInfo::governor,     &BoardInfo::core};
  for (std::string BoardInfo::*const text : texts) {
    BoardInfo other = ABoard();
    other.*text += "x";
    EXPECT_NE(FingerprintOf(other), fingerprint) << other.*text;
    EXPECT_NE(DescribeFingerprintChange(ABoard(), other), "") << other.*text;
  }
  BoardInfo fewer = ABoard();
  fewer.cpu_count = 2;
  EXPECT_NE(FingerprintOf(fewer), fingerprint);
  BoardInfo trains = ABoard();
  trains.shares_agent_host = true;
  EXPECT_NE(FingerprintOf(trains), fingerprint);
}

// The fingerprint that this board had before cores were known, as studies and tables hold it.
TEST(BoardConditionsTest, BoardsThatDifferInTheirNameAloneAreOfOneClass) {
  BoardInfo other = ABoard();
  other.name = "another of that kind";
  EXPECT_NE(FingerprintOf(other), FingerprintOf(ABoard()));
  EXPECT_EQ(ClassFingerprintOf(other), ClassFingerprintOf(ABoard()));
  other.kernel_build = "another";
  EXPECT_NE(ClassFingerprintOf(other), ClassFingerprintOf(ABoard()));
}

TEST(BoardConditionsTest, ABoardThatTellsNoCoreKeepsItsFingerprint) {
  BoardInfo older = ABoard();
  older.core.clear();
  std::string text;
  for (const char* part : {"kitchen", "Cortex-A76", "scalar", "4", "aarch64", "Linux 6.1",
                           "performance", "bitpilotd 0.1", "k1", "kernels", "", "another one"}) {
    text += std::string(part) + '\0';
  }
  EXPECT_EQ(FingerprintOf(older), Sha256Hex(text).substr(0, 12));
}

TEST(BoardConditionsTest, NeighbouringTextsDoNotRunTogether) {
  BoardInfo one = ABoard();
  BoardInfo other = ABoard();
  one.name = "ab";
  one.cpu_model = "c";
  other.name = "a";
  other.cpu_model = "bc";
  EXPECT_NE(FingerprintOf(one), FingerprintOf(other));
}

TEST(BoardConditionsTest, SaysWhatChanged) {
  BoardInfo later = ABoard();
  later.governor = "powersave";
  later.os = "";
  EXPECT_EQ(DescribeFingerprintChange(ABoard(), later),
            "system is not told, was Linux 6.1; governor is powersave, was performance");
}

TEST(BoardConditionsTest, AnotherTableIsSaidByItsNameAlone) {
  BoardInfo before = ABoard();
  before.backend = "model:one";
  before.model_source = "measured on Monday";
  BoardInfo now = before;
  now.model_source = "measured on Tuesday";
  EXPECT_EQ(DescribeFingerprintChange(before, now),
            "model source is measured on Tuesday, was measured on Monday");
  now.backend = "model:two";
  EXPECT_EQ(DescribeFingerprintChange(before, now), "backend is model:two, was model:one");
}

TEST(BoardConditionsTest, TheGovernorIsThatOfTheMeasurement) {
  BoardConditions conditions;
  EXPECT_EQ(FingerprintOf(ABoard(), conditions), FingerprintOf(ABoard()));
  conditions.governor = "powersave";
  BoardInfo then = ABoard();
  then.governor = "powersave";
  EXPECT_EQ(FingerprintOf(ABoard(), conditions), FingerprintOf(then));
}

// Temperatures and loads differ from one measurement to the next: they are stored beside it.
TEST(BoardConditionsTest, WhatPassesIsNotPartOfIt) {
  BoardConditions conditions;
  conditions.temperature_end_celsius = 71.0;
  conditions.frequency_max_khz = 1'800'000;
  conditions.other_load = 0.4;
  conditions.throttle_bits = 0x50000;
  conditions.cpu = 5;
  conditions.kernel_choices = "0123456789ab";
  EXPECT_EQ(FingerprintOf(ABoard(), conditions), FingerprintOf(ABoard()));
  BoardInfo another_of_its_kind = ABoard();
  another_of_its_kind.cpu = 5;
  EXPECT_EQ(FingerprintOf(another_of_its_kind), FingerprintOf(ABoard()));
}

}  // namespace
}  // namespace bitpilot

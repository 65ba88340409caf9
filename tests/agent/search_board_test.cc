#include "agent/session/search_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "kernels/cpu/isa.h"

namespace bitpilot {
namespace {

BoardInfo BoardWith(Isa isa) {
  BoardInfo board;
  board.kernel_build = "k1";
  board.backend = "native";
  board.isa = ToString(isa);
  board.cpu_model = "A";
  board.core = "big";
  board.energy.source = "meter";
  return board;
}

// Else the same kernels were measured twice, or those that the restriction leaves out never.
TEST(SearchBoardTest, OnlyTheHighestInstructionSetLeavesNothingOut) {
  const std::vector<Isa> isas = SupportedIsas();
  const char* forced = std::getenv("BITPILOT_FORCE_ISA");
  const std::string before = forced != nullptr ? forced : "";
  unsetenv("BITPILOT_FORCE_ISA");
  for (const Isa isa : isas)
    EXPECT_EQ(HasFullIsa(BoardWith(isa)), isa == isas.back()) << ToString(isa);
  // A machine that is itself forced to one has no more than that.
  setenv("BITPILOT_FORCE_ISA", "scalar", /*replace=*/1);
  for (const Isa isa : isas) EXPECT_EQ(HasFullIsa(BoardWith(isa)), isa == Isa::kScalar);
  setenv("BITPILOT_FORCE_ISA", "no such", /*replace=*/1);
  EXPECT_FALSE(HasFullIsa(BoardWith(Isa::kScalar)))
      << "who starts the board there says what is wrong";
  unsetenv("BITPILOT_FORCE_ISA");
  if (!before.empty()) setenv("BITPILOT_FORCE_ISA", before.c_str(), /*replace=*/1);
}

TEST(SearchBoardTest, IsRestrictedWhereTheDeviceNamesAnInstructionSet) {
  SearchConfig config;
  config.device = "local:scalar";
  EXPECT_TRUE(IsRestrictedLocal(config));
  for (const char* device : {"local", "", "model:mpic"}) {
    config.device = device;
    EXPECT_FALSE(IsRestrictedLocal(config)) << device;
  }
}

TEST(SearchBoardTest, RefusesABoardWithOtherKernelsOrCores) {
  const BoardInfo logged = BoardWith(Isa::kScalar);
  EXPECT_TRUE(CheckSameBoard(logged, logged, true).ok());
  for (std::string BoardInfo::*member :
       {&BoardInfo::kernel_build, &BoardInfo::backend, &BoardInfo::isa, &BoardInfo::cpu_model,
        &BoardInfo::core}) {
    BoardInfo other = logged;
    other.*member = "another";
    const Status refused = CheckSameBoard(logged, other, false);
    EXPECT_EQ(refused.code(), StatusCode::kVersionMismatch);
    EXPECT_THAT(refused.message(), testing::HasSubstr("\"" + logged.*member + "\""));
    EXPECT_THAT(refused.message(), testing::HasSubstr("\"another\""));
  }
  BoardInfo other = logged;
  other.energy.source = "";
  EXPECT_TRUE(CheckSameBoard(logged, other, false).ok());
  EXPECT_FALSE(CheckSameBoard(logged, other, true).ok());
  BoardInfo older = logged;
  older.core = "";
  EXPECT_TRUE(CheckSameBoard(older, logged, true).ok());
}

}  // namespace
}  // namespace bitpilot

// The table that ends a search, as people read it.
#include "agent/cli/final_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;

FinalRow RowOf(const char* on, const char* board, double ratio, double us) {
  FinalRow row;
  row.role = FinalistRole::kFront;
  row.number = 1;
  row.label = "front 1";
  row.on = on;
  row.board = board;
  row.ratio = ratio;
  row.ratio_low = ratio - 0.01;
  row.ratio_high = ratio + 0.01;
  row.latency_median_ns = 1e3 * us;
  row.source = "measured";
  return row;
}

// The objective is the worst class, "slow".
FinalEvent OfTwoClasses() {
  FinalEvent final;
  final.classes = {{"slow", {RowOf("slow", "bench-1", 0.8, 777.25)}, {0}},
                   {"fast", {RowOf("fast", "bench-2", 0.6, 55.5)}, {0}}};
  final.rows = final.classes.front().rows;
  return final;
}

std::string Printed(const FinalEvent& final) {
  testing::internal::CaptureStdout();
  PrintFinalTable(final, /*has_budget=*/false);
  return testing::internal::GetCapturedStdout();
}

// What stands above the classes' own tables.
std::string Joint(const FinalEvent& final) {
  const std::string text = Printed(final);
  return text.substr(0, text.find("\nOn class "));
}

TEST(FinalTableTest, TheJointTableHasNoLatenciesOfDifferentClasses) {
  const FinalEvent final = OfTwoClasses();
  EXPECT_THAT(Joint(final), Not(HasSubstr("latency us")));
  EXPECT_THAT(Joint(final), Not(HasSubstr("777.25")));
  EXPECT_THAT(Joint(final), HasSubstr("0.800 (0.790..0.810) on slow"));
  EXPECT_THAT(Printed(final), HasSubstr("777.25 us    0.800x (0.790..0.810) on bench-1\n"));
  EXPECT_THAT(Printed(final), HasSubstr("55.50 us    0.600x (0.590..0.610) on bench-2\n"));
}

TEST(FinalTableTest, OneClassHasItsLatenciesInTheTable) {
  FinalEvent final;
  final.rows = {RowOf("", "", 0.8, 777.25)};
  EXPECT_THAT(Printed(final), HasSubstr("latency us (interval)"));
  EXPECT_THAT(Printed(final), HasSubstr("777.25 ("));
  EXPECT_THAT(Printed(final), Not(HasSubstr("MODEL")));
}

TEST(FinalTableTest, MarksAModelByWhatAnsweredAndNotByHowItWasNamed) {
  FinalEvent final;
  final.rows = {RowOf("board", "bench-1", 0.8, 777.25)};
  final.rows[0].source = "MODEL:mpic";  // a board of a fleet
  EXPECT_THAT(Printed(final), HasSubstr("MODEL latency us"));
}

TEST(FinalTableTest, MarksTheClassThatIsAModelAndNoOther) {
  FinalEvent final = OfTwoClasses();
  final.classes[1].rows[0].source = "MODEL:mpic";
  EXPECT_THAT(Printed(final), HasSubstr("On class fast, MODEL:mpic, a table that answers"));
  EXPECT_THAT(Printed(final), HasSubstr("On class slow (its own front"));
  EXPECT_THAT(Joint(final), Not(HasSubstr("MODEL"))) << "the slowest class measured";
  final.rows[0].on = final.rows[0].board = "";  // the mean of both
  EXPECT_THAT(Joint(final), HasSubstr("0.800 (0.790..0.810), MODEL"));
}

}  // namespace
}  // namespace bitpilot

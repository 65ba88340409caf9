#include "agent/report/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(RoundTicksTest, AreRoundAndInside) {
  const Ticks ticks = RoundTicks(0.37, 1.04, 7);
  ASSERT_EQ(ticks.values.size(), 7u);
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_NEAR(ticks.values[i], 0.4 + 0.1 * static_cast<double>(i), 1e-12);
  }
  EXPECT_EQ(ticks.digits, 1);
}

TEST(RoundTicksTest, IncludeBothEndsWhereTheyAreRound) {
  EXPECT_THAT(RoundTicks(0.0, 100.0, 4).values, ElementsAre(0.0, 50.0, 100.0));
  EXPECT_EQ(RoundTicks(0.0, 100.0, 4).digits, 0);
}

TEST(RoundTicksTest, HandleTinyAndHugeRanges) {
  for (const double scale : {1e-12, 1e-3, 1.0, 1e9}) {
    const Ticks ticks = RoundTicks(0.99 * scale, 1.01 * scale, 5);
    EXPECT_GE(ticks.values.size(), 3u) << scale;
    EXPECT_LE(ticks.values.size(), 7u) << scale;
  }
}

TEST(AxisTest, MapsItsEndsAndUpsideDown) {
  const Axis y{0.5, 1.0, 400.0, 0.0};
  EXPECT_EQ(y(0.5), 400.0);
  EXPECT_EQ(y(1.0), 0.0);
  EXPECT_EQ(y(0.75), 200.0);
}

TEST(SvgTest, ClosesShapesWithAndWithoutTitle) {
  const std::string svg = Svg(100, 50, "a \"plot\"")
                              .Circle({1.234, 2}, 3, "mark", "<title>")
                              .Line({0, 0}, {1, 1}, "grid")
                              .Finish();
  EXPECT_THAT(svg, HasSubstr("aria-label=\"a &quot;plot&quot;\""));
  EXPECT_THAT(svg,
              HasSubstr("<circle cx=\"1.23\" cy=\"2\" r=\"3\" class=\"mark\"><title>&lt;title&gt;"
                        "</title></circle>"));
  EXPECT_THAT(svg, HasSubstr("class=\"grid\"/>"));
}

TEST(SvgTest, WritesNoCoordinateThatIsNotANumber) {
  const std::string svg =
      Svg(100, 50, "").Text({std::numeric_limits<double>::quiet_NaN(), 1}, "x", "tick").Finish();
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace bitpilot

#include "agent/report/html.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bitpilot {
namespace {

TEST(EscapeHtmlTest, LeavesNoCharacterThatMeansSomething) {
  EXPECT_EQ(EscapeHtml("<script>alert('x' & \"y\")</script>"),
            "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;");
  EXPECT_EQ(EscapeHtml("caf\u00e9"), "caf\u00e9");
}

TEST(FormatFixedTest, WritesARealMinusAndNoNegativeZero) {
  EXPECT_EQ(FormatFixed(-1.25, 1), "\u22121.2");  // exactly between: to even
  EXPECT_EQ(FormatFixed(-0.001, 2), "0.00");
  EXPECT_EQ(FormatFixed(0.7, 2), "0.70");
}

TEST(FormatFixedTest, WritesExtremesWithoutHarm) {
  EXPECT_EQ(FormatFixed(std::nan(""), 2), "n/a");
  EXPECT_EQ(FormatFixed(-std::numeric_limits<double>::infinity(), 2), "n/a");
  EXPECT_EQ(FormatFixed(std::numeric_limits<double>::max(), 0).size(), 309u);
}

TEST(FormatPointsTest, AlwaysShowsASignUnlessItIsZero) {
  EXPECT_EQ(FormatPoints(0.01, 2), "+1.00");
  EXPECT_EQ(FormatPoints(-0.004, 2), "\u22120.40");
  EXPECT_EQ(FormatPoints(0.0, 2), "0.00");
  EXPECT_EQ(FormatPoints(1e-6, 2), "0.00");
}

TEST(FormatLatencyTest, UsesOneUnitForAWholeColumn) {
  EXPECT_EQ(FormatLatency(812'400.0, 812'400.0), "812.4 \u00b5s");
  EXPECT_EQ(FormatLatency(812'400.0, 1'200'000.0), "0.812 ms");
  EXPECT_EQ(FormatLatency(12.4, 12.4), "12 ns");
}

TEST(FormatBytesTest, CountsInThousands) {
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(77'360), "77.4 kB");
  EXPECT_EQ(FormatBytes(11'680'000), "11.68 MB");
}

TEST(FormatUtcTest, WritesMinutes) {
  EXPECT_EQ(FormatUtc(0), "1970-01-01 00:00 UTC");
  EXPECT_EQ(FormatUtc(1'700'000'000'000'000'000), "2023-11-14 22:13 UTC");
}

}  // namespace
}  // namespace bitpilot

#include "kernels/base/number_text.h"

#include <cstdint>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitpilot {
namespace {

TEST(NumberTextTest, ReadsEveryNumberInsideTheRange) {
  EXPECT_EQ(*ParseNumber<std::int64_t>("1", 1, 8), 1);
  EXPECT_EQ(*ParseNumber<std::int64_t>("010", 1, 16), 10) << "no octal numbers";
  EXPECT_EQ(*ParseNumber<std::int64_t>("-3", -5, 5), -3);
  EXPECT_EQ(*ParseNumber<std::uint64_t>("18446744073709551615", 0),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(*ParseNumber<double>("2e-4", 0.0), 2e-4);
  EXPECT_EQ(*ParseNumber<double>(".5", 0.0, 1.0), 0.5);
}

TEST(NumberTextTest, RefusesWhatIsNoNumberOfTheRange) {
  for (const char* text : {"", " 1", "1 ", "x", "1x", "0x4", "1e3", "1.0", "0", "9", "-1", "+1",
                           "inf", "nan", "99999999999999999999"}) {
    EXPECT_EQ(ParseNumber<std::int64_t>(text, 1, 8).status().code(), StatusCode::kInvalidArgument)
        << text;
  }
  for (const char* text : {"18446744073709551616", "-1", "1.5"}) {
    EXPECT_FALSE(ParseNumber<std::uint64_t>(text, 0).ok()) << text;
  }
  for (const char* text : {"", "inf", "-inf", "infinity", "nan", "1e999", "0.7x", "0x1p3", "-1"}) {
    EXPECT_FALSE(ParseNumber<double>(text, 0.0).ok()) << text;
  }
}

TEST(NumberTextTest, SaysWhatItExpectedAndGot) {
  EXPECT_EQ(ParseNumber<std::int64_t>("9", 1, 8).status().message(),
            "expected a whole number in 1..8, got '9'");
  EXPECT_EQ(ParseNumber<double>("inf", 0.0).status().message(),
            "expected a number of at least 0, got 'inf'");
  EXPECT_THAT(ParseNumber<std::uint64_t>("18446744073709551616", 0).status().message(),
              testing::HasSubstr("that a computer holds"));
  EXPECT_EQ(NumberRange<std::int64_t>(1, 8), "1..8");
  EXPECT_EQ(NumberRange<double>(0.0), ">= 0");
}

TEST(NumberTextTest, WritesTheNumberSoThatEveryParserReadsItAlike) {
  std::string text = "0017";
  EXPECT_EQ(NumberCheck<std::int64_t>(1, 100)(text), "");
  EXPECT_EQ(text, "17");
  text = "1x";
  EXPECT_EQ(NumberCheck<std::int64_t>(1, 100)(text), "expected a whole number in 1..100, got '1x'");
}

TEST(NumberTextTest, CountsOneInTheSingular) {
  EXPECT_EQ(Counted(0, "agent"), "0 agents");
  EXPECT_EQ(Counted(1, "agent"), "1 agent");
  EXPECT_EQ(Counted(2, "agent"), "2 agents");
  EXPECT_EQ(Counted(1, "mini-batch", "mini-batches"), "1 mini-batch");
  EXPECT_EQ(Counted(2, "mini-batch", "mini-batches"), "2 mini-batches");
}

}  // namespace
}  // namespace bitpilot

#include "kernels/base/quoted.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace bitpilot {
namespace {

using std::string_view_literals::operator""sv;

TEST(QuotedTest, ShowsPlainTextAsItIs) {
  EXPECT_EQ(Quoted(""), "''");
  EXPECT_EQ(Quoted("op conv1 ~"), "'op conv1 ~'");
}

TEST(QuotedTest, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Quoted("\x1b[2J\a\r\n\t\0\x7f\x9b"sv), R"('\x1b[2J\x07\x0d\x0a\x09\x00\x7f\x9b')");
  EXPECT_EQ(Quoted(R"(\x1b)"), R"('\\x1b')");
}

TEST(QuotedTest, EscapesEveryByteOutsidePrintableAscii) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const std::string quoted = Quoted(text);
    EXPECT_TRUE(IsPrintable(quoted)) << byte;
    EXPECT_EQ(IsPrintable(text), byte >= 32 && byte < 127) << byte;
  }
}

TEST(QuotedTest, ShowsTheBeginningOfALongText) {
  EXPECT_EQ(Quoted("abcdef", 6), "'abcdef'");
  EXPECT_EQ(Quoted("abcdefg", 6), "'abcdef'... (7 bytes)");
  EXPECT_EQ(Quoted(std::string(2000, '\0'), 2), R"('\x00\x00'... (2000 bytes))");
}

}  // namespace
}  // namespace bitpilot

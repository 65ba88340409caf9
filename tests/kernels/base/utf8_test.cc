#include "kernels/base/utf8.h"

#include <cstdio>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "kernels/base/text_file.h"

namespace bitpilot {
namespace {

TEST(Utf8Test, KnowsWellFormedText) {
  for (const char* text : {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
                           "\xf4\x8f\xbf\xbf", "a\xc3\xa4z"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
    EXPECT_EQ(ToUtf8(text), text);
  }
}

TEST(Utf8Test, RefusesWhatIsNoCharacter) {
  // A lone continuation, overlong forms, a surrogate, above U+10FFFF, cut off, never used.
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff", "a\xc3"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
    EXPECT_TRUE(IsUtf8(ToUtf8(text))) << text;
  }
}

TEST(Utf8Test, ReplacesOnlyTheBytesThatAreNone) {
  EXPECT_EQ(ToUtf8("a\xff\xc3\xa4\x80z"), "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbdz");
}

TEST(Utf8Test, MakesOneLineThatNoTerminalObeys) {
  EXPECT_EQ(WithoutControls("a\nb\t\x1b[31mred\x7f"), "a b  [31mred ");
  EXPECT_EQ(WithoutControls("\xc2\x9b"
                            "1m\xc2\xa0\xc3\xa4\xff"),
            " 1m\xc2\xa0\xc3\xa4\xef\xbf\xbd");
}

TEST(Utf8Test, LeavesOutOneByteOrderMark) {
  EXPECT_EQ(WithoutByteOrderMark("\xef\xbb\xbf{}"), "{}");
  EXPECT_EQ(WithoutByteOrderMark("{}\xef\xbb\xbf"), "{}\xef\xbb\xbf");
  EXPECT_EQ(WithoutByteOrderMark(""), "");
}

TEST(TextFileTest, ReadsAFileThatBeginsWithAByteOrderMark) {
  const std::string path = testing::TempDir() + "with_mark.txt";
  std::ofstream(path) << "\xef\xbb\xbf"
                      << "text\n";
  EXPECT_EQ(*ReadTextFile(path), "text\n");
  std::remove(path.c_str());
  EXPECT_EQ(ReadTextFile(path).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitpilot

#include "kernels/base/shell_word.h"

#include <gtest/gtest.h>

namespace bitpilot {
namespace {

TEST(ShellWordTest, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(ShellWord("runs/a.db"), "runs/a.db");
  EXPECT_EQ(ShellWord(""), "''");
  EXPECT_EQ(ShellWord("it's $x"), "'it'\\''s $x'");
}

}  // namespace
}  // namespace bitpilot

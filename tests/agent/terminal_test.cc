// The screen of `bitpilot fleet top`, on a terminal.
#include "agent/cli/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pty.h>
#include <termios.h>
#include <unistd.h>

namespace bitpilot {
namespace {

// A terminal in the place of this process's standard input.
class TerminalTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(openpty(&user_, &terminal_, nullptr, nullptr, nullptr), 0);
    input_ = dup(STDIN_FILENO);
    ASSERT_EQ(dup2(terminal_, STDIN_FILENO), STDIN_FILENO);
  }
  void TearDown() override {
    dup2(input_, STDIN_FILENO);
    for (const int each : {input_, terminal_, user_}) close(each);
  }
  termios Mode() const {
    termios mode{};
    EXPECT_EQ(tcgetattr(terminal_, &mode), 0);
    return mode;
  }

 private:
  int user_ = -1;
  int terminal_ = -1;
  int input_ = -1;
};

TEST_F(TerminalTest, AScreenTakesKeysAndGivesTheTerminalBackAsItWas) {
  const termios before = Mode();
  ASSERT_NE(before.c_lflag & ISIG, 0U);
  testing::internal::CaptureStdout();
  {
    const TerminalScreen screen;
    const termios during = Mode();
    EXPECT_EQ(during.c_lflag & (ICANON | ECHO), 0U);
    EXPECT_NE(during.c_lflag & ISIG, 0U) << "Ctrl-C ends it";
    EXPECT_EQ(during.c_cc[VINTR], before.c_cc[VINTR]);
    EXPECT_EQ(during.c_oflag, before.c_oflag);
  }
  testing::internal::GetCapturedStdout();
  const termios after = Mode();
  EXPECT_EQ(after.c_lflag, before.c_lflag);
  EXPECT_EQ(after.c_iflag, before.c_iflag);
  EXPECT_EQ(after.c_oflag, before.c_oflag);
  EXPECT_EQ(after.c_cc[VINTR], before.c_cc[VINTR]);
}

}  // namespace
}  // namespace bitpilot

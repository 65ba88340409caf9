#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <initializer_list>

#include "agent/cli/command.h"

namespace bitpilot {
namespace {

using testing::ExitedWithCode;

// In a process of its own: gets these signals, and ends with 0 if it is asked to stop.
[[noreturn]] void Get(std::initializer_list<int> signals) {
  StopOnSignals();
  for (const int signal : signals) std::raise(signal);
  std::_Exit(StopRequested() ? 0 : 9);
}

TEST(StopSignalsTest, AClosedTerminalAndAReaderThatIsGoneAskForAStopHoweverOften) {
  EXPECT_EXIT(Get({SIGHUP, SIGHUP, SIGHUP}), ExitedWithCode(0), "");
  EXPECT_EXIT(Get({SIGPIPE, SIGPIPE}), ExitedWithCode(0), "");
  EXPECT_EXIT(Get({SIGINT, SIGHUP, SIGPIPE}), ExitedWithCode(0), "");
  EXPECT_EXIT(Get({SIGTERM}), ExitedWithCode(0), "");
}

TEST(StopSignalsTest, WhoAsksTwiceEndsItAtOnce) {
  EXPECT_EXIT(Get({SIGINT, SIGINT}), ExitedWithCode(128 + SIGINT), "");
  EXPECT_EXIT(Get({SIGHUP, SIGINT, SIGTERM}), ExitedWithCode(128 + SIGTERM), "");
}

// At a logout the terminal closes, and then the session is ended.
TEST(StopSignalsTest, AFirstSignalAfterAClosedTerminalIsNoSecondOne) {
  EXPECT_EXIT(Get({SIGHUP, SIGTERM}), ExitedWithCode(0), "");
  EXPECT_EXIT(Get({SIGPIPE, SIGINT}), ExitedWithCode(0), "");
}

TEST(StopSignalsTest, AServiceThatIgnoresGoneReadersGoesOn) {
  const auto as_a_service = [] {
    std::signal(SIGPIPE, SIG_IGN);
    Get({SIGPIPE});
  };
  EXPECT_EXIT(as_a_service(), ExitedWithCode(9), "");
}

TEST(StopSignalsTest, NohupOutlivesTheTerminal) {
  const auto under_nohup = [] {
    std::signal(SIGHUP, SIG_IGN);
    Get({SIGHUP});
  };
  EXPECT_EXIT(under_nohup(), ExitedWithCode(9), "");
}

}  // namespace
}  // namespace bitpilot

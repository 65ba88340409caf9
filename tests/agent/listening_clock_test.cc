#include "agent/fleet/listening_clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kBegin{5'000'000};

TEST(ListeningClockTest, GoesOnWhileTheThreadListens) {
  ListeningClock clock(kBegin);
  Instant now = kBegin;
  for (int round = 0; round < 100; ++round) {
    clock.BeginWait(now, milliseconds{1000});
    now += milliseconds{700};
    clock.EndWait(now);
    now += milliseconds{10};
  }
  EXPECT_EQ(clock.Time(now), now);
}

TEST(ListeningClockTest, StandsStillWhileNobodyListens) {
  ListeningClock clock(kBegin);
  EXPECT_EQ(clock.Time(kBegin + seconds{60}), kBegin + ListeningClock::kMostBetween);
  clock.BeginWait(kBegin + seconds{60}, milliseconds{1000});
  EXPECT_EQ(clock.Time(kBegin + seconds{60}), kBegin + ListeningClock::kMostBetween);
}

// The machine is suspended in the middle of a wait: what lies there unread came before what was due.
TEST(ListeningClockTest, StaysInFrontOfWhatIsDueUntilAllIsRead) {
  ListeningClock clock(kBegin);
  const Instant due = kBegin + milliseconds{300};
  clock.BeginWait(kBegin, due - kBegin);
  const Instant resumed = kBegin + seconds{3600};
  EXPECT_LT(clock.Time(resumed), due);
  clock.EndWait(resumed);
  EXPECT_GE(clock.Time(resumed), due);
  EXPECT_LE(clock.Time(resumed), due + ListeningClock::kMostBetween);
}

TEST(ListeningClockTest, NeverGoesBack) {
  ListeningClock clock(kBegin);
  Instant now = kBegin;
  Instant last = clock.Time(now);
  for (const int limit : {0, 1, 1000, 0, 50}) {
    for (const int took : {0, 1, 49, 5000}) {
      clock.BeginWait(now, milliseconds{limit});
      now += milliseconds{took};
      for (const bool is_read : {false, true}) {
        if (is_read) clock.EndWait(now);
        EXPECT_GE(clock.Time(now), last);
        last = clock.Time(now);
      }
      now += milliseconds{took};
    }
  }
}

}  // namespace
}  // namespace bitpilot

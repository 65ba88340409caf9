#include "device_daemon/server/board_clock.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::sys_seconds;

Day DayOf(const std::string& text) { return ParseDay(text).value(); }

TEST(CalendarDayTest, ReadsDaysOfTheCalendarOnly) {
  EXPECT_EQ(ParseDay("1970-01-02"), Day{days{1}});
  EXPECT_EQ(ToString(DayOf("2028-02-29")), "2028-02-29");
  for (const char* text : {"2027-02-29", "2027-13-01", "2027-00-10", "2027-1-1", "27-01-01", "",
                           "2027-01-01 ", "2027/01/01", "admin"}) {
    EXPECT_FALSE(ParseDay(text)) << text;
  }
}

class BoardClockTest : public testing::Test {
 protected:
  BoardClock Start() {
    return BoardClock(folder_.path(), [this] { return now_; });
  }

  const TemporaryFolder folder_;
  sys_seconds now_{DayOf("2027-05-01")};
};

TEST_F(BoardClockTest, TellsTheDayOfItsClock) {
  BoardClock clock = Start();
  EXPECT_EQ(clock.Today(), DayOf("2027-05-01"));
  now_ += hours{25};
  EXPECT_EQ(clock.Today(), DayOf("2027-05-02"));
}

TEST_F(BoardClockTest, KnowsNoDayBeforeItsClockIsSet) {
  BoardClock clock = Start();
  EXPECT_TRUE(clock.Remember().ok());
  now_ = sys_seconds{hours{1}};  // As after a boot without a battery.
  EXPECT_FALSE(clock.Today());
  EXPECT_FALSE(Start().Today());
}

TEST_F(BoardClockTest, F14NeverTellsAnEarlierDayThanItSawEvenAfterARestart) {
  BoardClock clock = Start();
  EXPECT_TRUE(clock.Remember().ok());
  now_ -= days{60};
  EXPECT_EQ(clock.Today(), DayOf("2027-05-01"));
  BoardClock restarted = Start();
  EXPECT_EQ(restarted.Today(), DayOf("2027-05-01"));
}

TEST_F(BoardClockTest, WritesTheTimeOnceAnHour) {
  BoardClock clock = Start();
  EXPECT_TRUE(clock.Remember().ok());
  const auto written = [&] {
    std::ifstream file(folder_ / "latest_time");
    long seconds = 0;
    file >> seconds;
    return sys_seconds{std::chrono::seconds{seconds}};
  };
  const sys_seconds first = now_;
  EXPECT_EQ(written(), first);
  now_ += hours{1} - std::chrono::seconds{1};
  EXPECT_TRUE(clock.Remember().ok());
  EXPECT_EQ(written(), first);
  now_ += std::chrono::seconds{1};
  EXPECT_TRUE(clock.Remember().ok());
  EXPECT_EQ(written(), now_);
}

TEST_F(BoardClockTest, TakesADamagedFileForNone) {
  std::ofstream(folder_ / "latest_time") << "tomorrow\n";
  BoardClock clock = Start();
  EXPECT_EQ(clock.Today(), DayOf("2027-05-01"));
  EXPECT_TRUE(clock.Remember().ok());
}

}  // namespace
}  // namespace bitpilot

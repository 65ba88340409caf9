// Days of the calendar, in UTC: the last one on which a key is good.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace bitpilot {

using Day = std::chrono::sys_days;

// "2027-01-31"; nothing if it is no such day, such as 2027-02-30.
std::optional<Day> ParseDay(std::string_view text);
std::string ToString(Day day);

}  // namespace bitpilot

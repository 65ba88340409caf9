#include "device_daemon/server/calendar_day.h"

#include <algorithm>
#include <cstdio>

namespace bitpilot {
namespace {

namespace chrono = std::chrono;

constexpr std::string_view kPattern = "0000-00-00";

}  // namespace

std::optional<Day> ParseDay(std::string_view text) {
  const auto fits = [](char c, char pattern) {
    return pattern == '-' ? c == '-' : c >= '0' && c <= '9';
  };
  if (text.size() != kPattern.size() ||
      !std::equal(text.begin(), text.end(), kPattern.begin(), fits)) {
    return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = 0;
    for (const char c : text.substr(at, size)) value = 10 * value + (c - '0');
    return value;
  };
  const chrono::year_month_day day{chrono::year{number(0, 4)},
                                   chrono::month{static_cast<unsigned>(number(5, 2))},
                                   chrono::day{static_cast<unsigned>(number(8, 2))}};
  if (!day.ok()) return std::nullopt;
  return Day{day};
}

std::string ToString(Day day) {
  const chrono::year_month_day date{day};
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

}  // namespace bitpilot

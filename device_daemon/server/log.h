// The daemon's log: lines on standard error.
#pragma once

#include <chrono>
#include <string>

namespace bitpilot {

void LogLine(const std::string& text);

// A flood of refused strangers must not fill the disk with lines: at most ten a second, then a
// count.
class RefusalLog {
 public:
  void Add(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kLinesPerSecond = 10;
  Clock::time_point second_ = Clock::now();
  int shown_ = 0;
  int hidden_ = 0;
};

}  // namespace bitpilot

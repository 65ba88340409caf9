// The daemon's log: lines on standard error, for people or for programs.
//
//   text  "bitpilotd: the lease of alice expired"
//   json  one object a line: {"time", "event", "text"} and what belongs to the event. Also what people
//         do not want to see in passing, such as every measurement.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace bitpilot {

enum class LogFormat { kText, kJson };

// Of all lines from now on.
void SetLogFormat(LogFormat format);

using LogFields = std::map<std::string, std::string>;

// event, fields: for programs.   is_detail: only for programs.
void LogLine(const std::string& text, const std::string& event = "note",
             const LogFields& fields = {}, bool is_detail = false);

// A flood of refused strangers must not fill the disk with lines: at most ten a second, then a
// count.
class RefusalLog {
 public:
  void Add(const std::string& line);
  std::uint64_t count() const { return count_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kLinesPerSecond = 10;
  Clock::time_point second_ = Clock::now();
  std::uint64_t count_ = 0;
  int shown_ = 0;
  int hidden_ = 0;
};

}  // namespace bitpilot

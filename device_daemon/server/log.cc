#include "device_daemon/server/log.h"

#include <cstdio>

namespace bitpilot {

void LogLine(const std::string& text) {
  std::fprintf(stderr, "bitpilotd: %s\n", text.c_str());
  std::fflush(stderr);
}

void RefusalLog::Add(const std::string& line) {
  const Clock::time_point now = Clock::now();
  if (now - second_ > std::chrono::seconds{1}) {
    if (hidden_ > 0) LogLine("refused " + std::to_string(hidden_) + " more");
    second_ = now;
    shown_ = 0;
    hidden_ = 0;
  }
  if (shown_ < kLinesPerSecond) {
    ++shown_;
    LogLine(line);
  } else {
    ++hidden_;
  }
}

}  // namespace bitpilot

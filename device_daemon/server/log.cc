#include "device_daemon/server/log.h"

#include <cstdio>
#include <ctime>

#include <nlohmann/json.hpp>

#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

LogFormat g_format = LogFormat::kText;

// "2027-01-31T12:00:00.123Z"
std::string TimeNow() {
  std::timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char seconds[32];
  std::strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s.%03ldZ", seconds, now.tv_nsec / 1'000'000);
  return text;
}

}  // namespace

void SetLogFormat(LogFormat format) { g_format = format; }

void LogLine(const std::string& text, const std::string& event, const LogFields& fields,
             bool is_detail) {
  if (g_format == LogFormat::kText) {
    if (is_detail) return;
    std::fprintf(stderr, "bitpilotd: %s\n", WithoutControls(text).c_str());
  } else {
    nlohmann::ordered_json line{{"time", TimeNow()}, {"event", event}, {"text", ToUtf8(text)}};
    for (const auto& [name, value] : fields) line[name] = ToUtf8(value);
    std::fprintf(stderr, "%s\n", line.dump().c_str());
  }
  std::fflush(stderr);
}

void RefusalLog::Add(const std::string& line) {
  ++count_;
  const Clock::time_point now = Clock::now();
  if (now - second_ > std::chrono::seconds{1}) {
    if (hidden_ > 0) {
      LogLine("refused " + std::to_string(hidden_) + " more", "peers_refused",
              {{"count", std::to_string(hidden_)}});
    }
    second_ = now;
    shown_ = 0;
    hidden_ = 0;
  }
  if (shown_ < kLinesPerSecond) {
    ++shown_;
    LogLine(line, "peer_refused");
  } else {
    ++hidden_;
  }
}

}  // namespace bitpilot

// StudyWait: what a study does while another program holds its file.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace bitpilot {

struct StudyWait {
  // Then the call fails with kUnavailable; nullopt: waits as long as it takes.
  std::optional<std::chrono::milliseconds> limit = std::chrono::seconds(5);
  // Told once when a wait has taken this long, and once more when it is over; may be empty.
  std::chrono::milliseconds notice_after{3000};
  std::function<void(const std::string&)> notice;
  // Polled; true ends the wait at once, as the limit does. May be empty.
  std::function<bool()> stop;
};

}  // namespace bitpilot

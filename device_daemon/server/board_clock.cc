#include "device_daemon/server/board_clock.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

using std::chrono::sys_seconds;

// A file that is damaged is as good as none: the next hour writes it anew.
sys_seconds ReadTime(const std::string& path) {
  const Result<std::string> text = ReadFile(path);
  std::int64_t seconds = 0;
  if (!text.ok()) return {};
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, seconds);
  if (error != std::errc() || std::string_view(rest, end) != "\n" || seconds < 0) return {};
  return sys_seconds{std::chrono::seconds{seconds}};
}

}  // namespace

BoardClock::BoardClock(std::string store_folder, std::function<sys_seconds()> clock)
    : path_(std::move(store_folder) + "/latest_time"), clock_(std::move(clock)) {
  latest_ = remembered_ = ReadTime(path_);
}

sys_seconds BoardClock::SystemClock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

void BoardClock::Look() {
  const sys_seconds now = clock_();
  is_set_ = now >= kEarliest;
  latest_ = std::max(latest_, now);
}

std::optional<Day> BoardClock::Today() {
  Look();
  if (!is_set_) return std::nullopt;
  return std::chrono::floor<std::chrono::days>(latest_);
}

Status BoardClock::Remember() {
  Look();
  if (!is_set_ || latest_ < remembered_ + std::chrono::hours{1}) return {};
  BITPILOT_RETURN_IF_ERROR(
      WriteFileAtomically(path_, std::to_string(latest_.time_since_epoch().count()) + "\n"));
  remembered_ = latest_;
  return {};
}

}  // namespace bitpilot

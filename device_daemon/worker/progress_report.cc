#include "device_daemon/worker/progress_report.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kIntervalNs = 500'000'000;
constexpr std::int64_t kNsPerMs = 1'000'000;

std::uint64_t CeilMs(std::int64_t nanoseconds) {
  return static_cast<std::uint64_t>((nanoseconds + kNsPerMs - 1) / kNsPerMs);
}

}  // namespace

void ProgressReport::Begin(const std::string& measure_id) {
  measure_id_ = measure_id;
  has_sent_ = false;
}

void ProgressReport::Add(const Progress& progress) {
  const std::int64_t now_ns = clock_.WallNs();
  const bool is_due =
      !has_sent_ || now_ns - last_ns_ >= kIntervalNs || progress.silence_ns > announced_silence_ns_;
  if (!is_due) return;
  has_sent_ = true;
  last_ns_ = now_ns;
  announced_silence_ns_ = progress.silence_ns;
  v1::MeasureProgress message;
  message.set_measure_id(measure_id_);
  message.set_phase(std::string(progress.phase));
  message.set_windows_done(static_cast<std::uint32_t>(progress.windows_done));
  message.set_remaining_ms(CeilMs(progress.remaining_ns));
  message.set_silence_ms(CeilMs(progress.silence_ns));
  send_(message);
}

}  // namespace bitpilot

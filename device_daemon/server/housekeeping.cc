#include "device_daemon/server/housekeeping.h"

#include "device_daemon/server/log.h"

namespace bitpilot {

Housekeeping::Housekeeping(boost::asio::io_context& io, BoardClock& clock, std::string metrics_path,
                           std::function<bool()> is_measuring,
                           std::function<DaemonMetrics()> metrics)
    : clock_(clock),
      metrics_path_(std::move(metrics_path)),
      is_measuring_(std::move(is_measuring)),
      metrics_(std::move(metrics)),
      clock_timer_(io),
      metrics_timer_(io),
      looked_(std::chrono::steady_clock::now()) {}

Status Housekeeping::Start() {
  KeepTime();
  if (metrics_path_.empty()) return {};
  BITPILOT_RETURN_IF_ERROR(WriteMetrics(metrics_path_, metrics_()));
  KeepMetrics();
  return {};
}

std::optional<double> Housekeeping::Celsius() {
  if (is_measuring_()) return zones_.hottest_celsius();
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double> seconds = now - std::exchange(looked_, now);
  zones_.Look(ReadThermalZones("/"), seconds.count());
  return zones_.hottest_celsius();
}

void Housekeeping::CatchUp() {
  if (std::exchange(time_is_due_, false)) WriteTime();
  if (std::exchange(metrics_are_due_, false)) WriteAllMetrics();
}

void Housekeeping::KeepTime() {
  time_is_due_ = is_measuring_();
  if (!time_is_due_) WriteTime();
  clock_timer_.expires_after(kClockPause);
  clock_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) KeepTime();
  });
}

void Housekeeping::WriteTime() {
  const Status kept = clock_.Remember();
  if (!kept.ok()) LogLine("the latest time: " + kept.message(), "time_not_stored");
}

void Housekeeping::KeepMetrics() {
  metrics_are_due_ = is_measuring_();
  if (!metrics_are_due_) WriteAllMetrics();
  metrics_timer_.expires_after(kMetricsPause);
  metrics_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) KeepMetrics();
  });
}

void Housekeeping::WriteAllMetrics() {
  const Status written = WriteMetrics(metrics_path_, metrics_());
  if (!written.ok() && !metrics_failed_) {
    LogLine("--metrics " + written.message(), "metrics_not_written");
  }
  metrics_failed_ = !written.ok();
}

}  // namespace bitpilot

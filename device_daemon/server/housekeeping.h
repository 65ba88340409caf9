// What the daemon does every now and then, whoever talks to it: writes the metrics file, keeps the
// latest time, and looks how warm the board is.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/energy/thermal_zones.h"
#include "device_daemon/server/board_clock.h"
#include "device_daemon/server/metrics_file.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Not thread-safe: use it where the io_context runs.
class Housekeeping {
 public:
  static constexpr std::chrono::seconds kMetricsPause{15};
  static constexpr std::chrono::minutes kClockPause{10};  // An hour's accuracy is enough for days.

  // metrics_path: empty: no such file.   is_measuring: then nothing is read or written, which could
  // disturb it.   metrics: all of them, now.
  Housekeeping(boost::asio::io_context& io, BoardClock& clock, std::string metrics_path,
               std::function<bool()> is_measuring, std::function<DaemonMetrics()> metrics);

  // Errors: as WriteMetrics().
  Status Start();

  // Between two measurements: writes what became due during the last one.
  void CatchUp();

  // Of the hottest zone that counts, as of the last look; this is one unless the board measures.
  std::optional<double> Celsius();

 private:
  void KeepTime();
  void KeepMetrics();
  void WriteTime();
  void WriteAllMetrics();

  BoardClock& clock_;
  const std::string metrics_path_;
  std::function<bool()> is_measuring_;
  std::function<DaemonMetrics()> metrics_;
  boost::asio::steady_timer clock_timer_;
  boost::asio::steady_timer metrics_timer_;
  bool time_is_due_ = false;
  bool metrics_are_due_ = false;
  bool metrics_failed_ = false;
  ZoneWatch zones_;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace bitpilot

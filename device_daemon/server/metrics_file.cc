#include "device_daemon/server/metrics_file.h"

#include "kernels/base/file_io.h"
#include "kernels/base/prometheus_text.h"

namespace bitpilot {

std::string ToPrometheusText(const DaemonMetrics& metrics) {
  const v1::BoardStatus& status = metrics.status;
  PrometheusText text("bitpilot_board_", "board", metrics.board);
  text.Family("state", "gauge", "1 for what the board does now.");
  text.Sample(1.0, "state", status.state());
  text.Gauge("uptime_seconds", "Since the daemon started.",
             static_cast<double>(status.uptime_ms()) / 1e3);
  text.Gauge("draining", "1 if it takes no new work.", status.draining() ? 1.0 : 0.0);
  text.Gauge("reserved", "1 if one agent has it for itself.", status.reserved() ? 1.0 : 0.0);
  text.Gauge("sessions", "Of agents and observers.", status.sessions());
  text.Gauge("queue_length", "Jobs and reservations that wait.", status.queue_size());
  text.Gauge("kept_results", "Results that no agent has acknowledged.", status.kept_results());
  text.Gauge("kept_results_only_in_memory", "1 if they would not outlive the daemon.",
             status.kept_results_problem().empty() ? 0.0 : 1.0);
  text.Family("measurements_total", "counter", "Measurements that ended, by status.");
  for (const v1::StatusCount& one : status.finished()) {
    text.Sample(static_cast<double>(one.count()), "status", v1::MeasureStatus_Name(one.status()));
  }
  text.Counter("refused_peers_total", "Handshakes and messages that were refused.",
               metrics.refused_peers);
  text.Counter("messages_received_total", "Of all peers.", metrics.messages_received);
  text.Counter("messages_not_sent_total", "To peers that were gone or did not read.",
               metrics.messages_not_sent);
  if (status.has_temperature_celsius()) {
    text.Gauge("temperature_celsius", "Of the hottest zone.", status.temperature_celsius());
  }
  if (status.has_clock_mhz()) {
    text.Gauge("clock_mhz", "Measured by a loop, with the latest measurement.", status.clock_mhz());
  }
  if (status.has_claimed_clock_mhz()) {
    text.Gauge("claimed_clock_mhz", "What cpufreq said then.", status.claimed_clock_mhz());
  }
  if (status.has_canary_ns()) {
    text.Gauge("canary_seconds", "CPU time of a fixed network.", status.canary_ns() * 1e-9);
  }
  return text.Take();
}

Status WriteMetrics(const std::string& path, const DaemonMetrics& metrics) {
  return WriteFileAtomically(path, ToPrometheusText(metrics), 0644);
}

}  // namespace bitpilot

// What the daemon counts, in Prometheus' text form (exposition format 0.0.4): a file for the node
// exporter's textfile collector, so that nothing listens on another port.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

struct DaemonMetrics {
  std::string board;  // Its name: a label of every sample.
  v1::BoardStatus status;
  std::uint64_t refused_peers = 0;  // Handshakes and messages, since the daemon started.
  std::uint64_t messages_received = 0;
  std::uint64_t messages_not_sent = 0;  // To peers that were gone or did not read.
};

std::string ToPrometheusText(const DaemonMetrics& metrics);

// Readers see the old file or the whole new one.
//
// Errors: as WriteFileAtomically().
Status WriteMetrics(const std::string& path, const DaemonMetrics& metrics);

}  // namespace bitpilot

// Progress report: which steps of a job the worker tells the daemon of.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "device_daemon/measurement/latency_sampler.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// Few, so that the daemon's wake-ups do not disturb what is being timed: one in half a second, and
// whenever the next one may take longer than was said so far.
class ProgressReport {
 public:
  // REQUIRES: `clock` lives as long as this object.
  ProgressReport(MeasureClock& clock, std::function<void(const v1::MeasureProgress&)> send)
      : clock_(clock), send_(std::move(send)) {}

  // A new job: nothing has been said of it. measure_id: empty for an inference.
  void Begin(const std::string& measure_id);
  void Add(const Progress& progress);

 private:
  MeasureClock& clock_;
  std::function<void(const v1::MeasureProgress&)> send_;
  std::string measure_id_;
  bool has_sent_ = false;
  std::int64_t last_ns_ = 0;
  std::int64_t announced_silence_ns_ = 0;
};

}  // namespace bitpilot

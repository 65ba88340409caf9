// A clock whose time passes only while simulated workloads run.
#pragma once

#include <cmath>
#include <cstdint>

#include "device_daemon/measurement/latency_sampler.h"

namespace bitpilot {

class SimulatedClock final : public MeasureClock {
 public:
  explicit SimulatedClock(std::int64_t resolution_ns = 1) : resolution_ns_(resolution_ns) {}

  std::int64_t WallNs() override { return wall_ns_ / resolution_ns_ * resolution_ns_; }
  std::int64_t ThreadCpuNs() override { return cpu_ns_; }
  void Pass(double cpu_ns, double stolen_ns = 0.0) {
    cpu_ns_ += std::llround(cpu_ns);
    wall_ns_ += std::llround(cpu_ns + stolen_ns);
  }
  double seconds() const { return static_cast<double>(wall_ns_) * 1e-9; }

 private:
  std::int64_t resolution_ns_;
  std::int64_t wall_ns_ = 0;
  std::int64_t cpu_ns_ = 0;
};

}  // namespace bitpilot

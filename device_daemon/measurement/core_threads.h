// Threads that share an inference, each on a CPU of its own, and the clock that times them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device_daemon/measurement/cpu_core.h"
#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/status.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

// The calling thread waits for the others with its CPU busy. So what other work takes from these is
// in its CPU time: ThreadCpuNs() is without it, and less than wall time by what other work took from
// any of the threads.
class PoolClock final : public MeasureClock {
 public:
  // Both outlive the clock. Of a null pool, `clock` itself.
  PoolClock(MeasureClock& clock, const ThreadPool* pool) : clock_(clock), pool_(pool) {}

  std::int64_t WallNs() override { return clock_.WallNs(); }
  std::int64_t ThreadCpuNs() override {
    return clock_.ThreadCpuNs() - (pool_ == nullptr ? 0 : pool_->OthersLostNs());
  }
  // Of the calling thread.
  std::int64_t InvoluntarySwitches() override { return clock_.InvoluntarySwitches(); }

 private:
  MeasureClock& clock_;
  const ThreadPool* pool_;
};

struct CoreThreads {
  std::vector<CpuCore> cores;
  std::unique_ptr<ThreadPool> pool;  // Null of one core.

  const CpuCore& core() const { return cores.front(); }
  PoolClock Clock() const { return {SystemMeasureClock(), pool.get()}; }
  // "CPU 3" or "CPUs 2-3".
  std::string CpuNames() const;
};

// Keeps the calling thread on the first of the cores, and a new thread on each of the others.
//
// Errors: kInternal if the system refuses to keep a thread on its CPU; ThreadPool::Create()'s.
//
// REQUIRES: `cores` is not empty.
Result<CoreThreads> StartThreadsOn(std::vector<CpuCore> cores);

}  // namespace bitpilot

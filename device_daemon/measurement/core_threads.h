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

// A clock for inferences that several threads share. The calling thread waits for the others with its
// CPU busy, so its CPU time says nothing of what other work takes from these. ThreadCpuNs() is wall
// time without what the thread that lacked its CPU for longest lacked, from each reading to the next:
// as far below wall time as CPU time is where one thread does all.
class PoolClock final : public MeasureClock {
 public:
  // Both outlive the clock. Of a null pool, `clock` itself.
  PoolClock(MeasureClock& clock, const ThreadPool* pool);

  std::int64_t WallNs() override { return clock_.WallNs(); }
  std::int64_t ThreadCpuNs() override;
  // Of the calling thread.
  std::int64_t InvoluntarySwitches() override { return clock_.InvoluntarySwitches(); }

 private:
  // Since some time, of the calling thread and those of the pool.
  std::vector<std::int64_t> ReadLostNs(std::int64_t wall_ns);

  MeasureClock& clock_;
  const ThreadPool* pool_;
  std::int64_t now_ns_ = 0;
  std::int64_t wall_ns_ = 0;           // At the last reading,
  std::vector<std::int64_t> lost_ns_;  // and what each thread had lost.
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

#include "device_daemon/measurement/core_threads.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace bitpilot {

PoolClock::PoolClock(MeasureClock& clock, const ThreadPool* pool) : clock_(clock), pool_(pool) {
  if (pool_ == nullptr) return;
  wall_ns_ = clock_.WallNs();
  lost_ns_ = ReadLostNs(wall_ns_);
}

std::vector<std::int64_t> PoolClock::ReadLostNs(std::int64_t wall_ns) {
  std::vector<std::int64_t> lost_ns = {wall_ns - clock_.ThreadCpuNs()};
  for (int i = 1; i < pool_->num_threads(); ++i) lost_ns.push_back(pool_->LostNs(i));
  return lost_ns;
}

std::int64_t PoolClock::ThreadCpuNs() {
  if (pool_ == nullptr) return clock_.ThreadCpuNs();
  const std::int64_t wall_ns = clock_.WallNs();
  std::vector<std::int64_t> lost_ns = ReadLostNs(wall_ns);
  std::int64_t most_ns = 0;
  for (std::size_t i = 0; i < lost_ns.size(); ++i) {
    most_ns = std::max(most_ns, lost_ns[i] - lost_ns_[i]);
  }
  // A thread may tell late of what it lost before the last reading.
  now_ns_ += std::max<std::int64_t>(0, wall_ns - wall_ns_ - most_ns);
  wall_ns_ = wall_ns;
  lost_ns_ = std::move(lost_ns);
  return now_ns_;
}

std::string CoreThreads::CpuNames() const {
  std::vector<int> cpus;
  for (const CpuCore& one : cores) cpus.push_back(one.cpu);
  std::sort(cpus.begin(), cpus.end());
  return (cpus.size() == 1 ? "CPU " : "CPUs ") + CpuList(cpus);
}

Result<CoreThreads> StartThreadsOn(std::vector<CpuCore> cores) {
  std::atomic<int> refused = -1;
  const auto pin = [&cores, &refused](int i) {
    const int cpu = cores[static_cast<std::size_t>(i)].cpu;
    if (!PinToCpu(cpu)) refused = cpu;
  };
  pin(0);
  CoreThreads threads;
  if (cores.size() > 1) {
    Result<std::unique_ptr<ThreadPool>> pool =
        ThreadPool::Create({.num_threads = static_cast<int>(cores.size()), .on_start = pin});
    if (!pool.ok()) return pool.status();
    threads.pool = std::move(*pool);
  }
  if (refused >= 0) {
    return Status(StatusCode::kInternal,
                  "the system refuses to keep a thread on CPU " + std::to_string(refused.load()));
  }
  threads.cores = std::move(cores);
  return threads;
}

}  // namespace bitpilot

#include "device_daemon/measurement/core_threads.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace bitpilot {

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

#include "agent/qat/compute_threads.h"

#include <dlfcn.h>
#include <sched.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr int kMostByDefault = 8;

int compute_threads = 1;

void KeepBlasOnOneThread() {
  using SetThreads = void (*)(int);
  void* symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
  if (symbol != nullptr) reinterpret_cast<SetThreads>(symbol)(1);
}

// CPUs that a quota comes to, rounded up: microseconds of CPU time in each period. Nothing without one.
std::optional<int> CpusOfQuota(const std::string& cgroups) {
  std::string quota;
  double period = 0.0;
  if (!(std::ifstream(cgroups + "/cpu.max") >> quota >> period)) {  // version 2: "max 100000"
    std::ifstream(cgroups + "/cpu/cpu.cfs_quota_us") >> quota;      // version 1: -1 without a quota
    std::ifstream(cgroups + "/cpu/cpu.cfs_period_us") >> period;
  }
  const double time = std::atof(quota.c_str());
  if (!(time > 0.0) || !(period > 0.0)) return std::nullopt;
  return static_cast<int>(std::ceil(std::min(time / period, 1e6)));
}

}  // namespace

int UsableComputeThreads(const std::string& cgroups) {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return 1;
  const int allowed = std::min(CPU_COUNT(&cpus), CpusOfQuota(cgroups).value_or(kMostByDefault));
  return std::clamp(allowed, 1, kMostByDefault);
}

int ComputeThreads() { return compute_threads; }

void SetComputeThreads(int threads) {
  BITPILOT_CHECK(threads >= 1 && threads <= kMaxComputeThreads);
  compute_threads = threads;
  torch::set_num_threads(threads);
  KeepBlasOnOneThread();
}

}  // namespace bitpilot

#include "agent/qat/compute_threads.h"

#include <dlfcn.h>
#include <sched.h>
#include <torch/torch.h>

#include <algorithm>

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

}  // namespace

int UsableComputeThreads() {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return 1;
  return std::clamp(CPU_COUNT(&cpus), 1, kMostByDefault);
}

int ComputeThreads() { return compute_threads; }

void SetComputeThreads(int threads) {
  BITPILOT_CHECK(threads >= 1 && threads <= kMaxComputeThreads);
  compute_threads = threads;
  torch::set_num_threads(threads);
  KeepBlasOnOneThread();
}

}  // namespace bitpilot

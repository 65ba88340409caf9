// How many threads training and reading compute on, in the whole program.
//
// The bits that training gives depend on this number as they do on the CPU and on LibTorch's version:
// LibTorch, and oneDNN below it, share sums out among threads. Whoever repeats a training sets the
// number that it had. Our own loops give the same bits on any number.
#pragma once

#include <string>

namespace bitpilot {

inline constexpr int kMaxComputeThreads = 64;

// The CPUs that this process may use, by its affinity and by the quota of its container, at most 8: a
// mini-batch of small images feeds no more.
//
// cgroups: where the kernel shows the process's control group.
int UsableComputeThreads(const std::string& cgroups = "/sys/fs/cgroup");

// 1 until SetComputeThreads().
int ComputeThreads();

// Takes effect at once, for LibTorch too. BLAS stays on one thread: its matrices are small here, and
// OpenBLAS's waiting threads spin on CPUs that a board may be measured on.
//
// REQUIRES: 1 <= threads <= kMaxComputeThreads; nothing computes meanwhile.
void SetComputeThreads(int threads);

}  // namespace bitpilot

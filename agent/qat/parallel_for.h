// A loop on ComputeThreads() threads.
#pragma once

#include <cstddef>
#include <functional>

namespace bitpilot {

// Calls body(i) for each 0 <= i < count, in any order, and returns when all are done. Results that
// shall not depend on the number of threads: one for each i, brought together after the loop.
//
// The body may neither throw nor call LibTorch.
void ParallelFor(std::size_t count, const std::function<void(std::size_t)>& body);

}  // namespace bitpilot

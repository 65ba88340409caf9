#include "agent/qat/parallel_for.h"

#include "agent/qat/compute_threads.h"

namespace bitpilot {

void ParallelFor(std::size_t count, const std::function<void(std::size_t)>& body) {
  const int threads = ComputeThreads();
  if (threads == 1 || count <= 1) {  // without waking anybody
    for (std::size_t i = 0; i < count; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::size_t i = 0; i < count; ++i) body(i);
}

}  // namespace bitpilot

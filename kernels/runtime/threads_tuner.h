// Chooses between all threads of a pool and one by timing the network with both: a small one does
// not make up for the waking of the others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kernels/base/network.h"
#include "kernels/cpu/isa.h"
#include "kernels/runtime/kernel_choices.h"

namespace bitpilot {

// What the times of the network by one thread and by `num_threads` depend on, but for its numbers.
std::string NetworkThreadsKey(const Network& network, Isa isa, int num_threads);

// True if one thread is clearly faster (FindFastest(), fastest_candidate.h: all threads are
// preferred): as remembered under `key`, if this lease may use it as it is, or as timing finds,
// which `choices` then remembers. Timing takes as long as some inferences.
//
// all_threads, one_thread: an inference.   wall_ns: WallNs() but for tests.
bool IsFasterByOneThread(const std::string& key, const std::function<void()>& all_threads,
                         const std::function<void()>& one_thread,
                         const std::function<std::int64_t()>& wall_ns, KernelChoices& choices);

}  // namespace bitpilot

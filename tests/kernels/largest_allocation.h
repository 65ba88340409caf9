// Watches what a test program allocates: link largest_allocation.cc, which replaces operator new. Memory that is aligned for
// vectors then ends at a protected page (guarded_memory.h).
#pragma once

#include <cstddef>

namespace bitpilot {

// Bytes of the largest single allocation since the last reset, by any thread.
std::size_t LargestAllocation();
void ResetLargestAllocation();

}  // namespace bitpilot

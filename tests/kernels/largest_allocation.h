// Watches what a test program allocates: link largest_allocation.cc, which replaces operator new.
#pragma once

#include <cstddef>

namespace bitpilot {

// Bytes of the largest single allocation since the last reset, by any thread.
std::size_t LargestAllocation();
void ResetLargestAllocation();

}  // namespace bitpilot

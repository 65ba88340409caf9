// CPU time of the calling thread: what other programs take of the wall time is not in it.
#pragma once

#include <cstdint>

namespace bitpilot {

// Nanoseconds (CLOCK_THREAD_CPUTIME_ID); only differences on one thread mean something.
std::int64_t ThreadCpuNs();

}  // namespace bitpilot

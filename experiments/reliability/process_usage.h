// What a process holds, as the kernel tells it.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace bitpilot {

// All are 0 for a process that is not there.
std::size_t ResidentBytes(pid_t pid);
std::size_t NumDescriptors(pid_t pid);
// Children that have ended and were not waited for.
std::size_t NumZombies(pid_t pid);

}  // namespace bitpilot

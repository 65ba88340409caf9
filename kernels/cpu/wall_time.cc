#include "kernels/cpu/wall_time.h"

#include <time.h>

namespace bitpilot {

std::int64_t WallNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace bitpilot

#include "device_daemon/energy/energy_clock.h"

#include <cerrno>
#include <ctime>

namespace bitpilot {

std::int64_t EnergyClockNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void SleepNs(std::int64_t duration_ns) {
  timespec left{duration_ns / 1'000'000'000, duration_ns % 1'000'000'000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

}  // namespace bitpilot

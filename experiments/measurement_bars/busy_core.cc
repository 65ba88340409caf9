#include "experiments/measurement_bars/busy_core.h"

#include <sched.h>

#include <cstddef>
#include <vector>

namespace bitpilot {
namespace {

constexpr std::size_t kFloats = std::size_t{4} << 20;  // 16 MiB

void PinToFirstCpu() {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return;
  int first = 0;
  while (!CPU_ISSET(first, &cpus)) ++first;
  CPU_ZERO(&cpus);
  CPU_SET(first, &cpus);
  (void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

void Work(const std::atomic<bool>& stop) {
  PinToFirstCpu();
  std::vector<float> values(kFloats, 1.0F);
  while (!stop) {
    for (float& value : values) value = value * 0.999F + 0.001F;
  }
}

}  // namespace

BusyCore::BusyCore() : thread_([this] { Work(stop_); }) {}

BusyCore::~BusyCore() {
  stop_ = true;
  thread_.join();
}

}  // namespace bitpilot

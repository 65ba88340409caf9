#include "device_daemon/measurement/operation_timer.h"

#include <cstddef>

#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr int kMaxTimedRuns = 101;

}  // namespace

std::vector<double> OperationMediansNs(CompiledNetwork& network,
                                       std::span<const std::uint8_t> pixels,
                                       std::span<float> logits, MeasureClock& clock,
                                       std::int64_t budget_ns) {
  const auto num_operations = static_cast<std::size_t>(network.num_operations());
  std::vector<std::vector<double>> samples(num_operations);
  const std::int64_t start_ns = clock.WallNs();
  for (int run = 0; run < kMaxTimedRuns; ++run) {
    std::vector<std::int64_t> nanoseconds(num_operations, 0);
    network.RunTimed(pixels, logits, nanoseconds);
    for (std::size_t i = 0; i < num_operations; ++i) {
      samples[i].push_back(static_cast<double>(nanoseconds[i]));
    }
    if (clock.WallNs() - start_ns > budget_ns) break;
  }
  std::vector<double> medians;
  medians.reserve(num_operations);
  for (const std::vector<double>& of_operation : samples) medians.push_back(Median(of_operation));
  return medians;
}

}  // namespace bitpilot

#include "kernels/runtime/fastest_candidate.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr int kMaxRounds = 15;
constexpr double kRoundsBudgetNs = 3e6;  // once kMinTimingRounds are made
constexpr double kSampleNs = 10e3;       // Runs shorter than this are timed several at once.
constexpr int kMaxRunsPerSample = 32;
// The first round also loads caches and wakes the vector units: it makes nobody hopeless.
constexpr double kHopeless = 1.5;
constexpr double kNeededAdvantage = 0.98;

struct Timed {
  const std::function<void()>* run = nullptr;
  double best_ns = std::numeric_limits<double>::infinity();  // of one run
  int runs_per_sample = 1;
  bool hopeless = false;

  // Returns the nanoseconds that it took.
  double Sample(const std::function<std::int64_t()>& cpu_ns) {
    const std::int64_t start_ns = cpu_ns();
    for (int i = 0; i < runs_per_sample; ++i) (*run)();
    const auto took_ns = static_cast<double>(std::max<std::int64_t>(1, cpu_ns() - start_ns));
    best_ns = std::min(best_ns, took_ns / runs_per_sample);
    runs_per_sample = std::clamp(static_cast<int>(kSampleNs / best_ns), 1, kMaxRunsPerSample);
    return took_ns;
  }
};

double BestNs(const std::vector<Timed>& candidates) {
  double best_ns = std::numeric_limits<double>::infinity();
  for (const Timed& one : candidates) best_ns = std::min(best_ns, one.best_ns);
  return best_ns;
}

}  // namespace

FastestCandidate FindFastest(std::span<const std::function<void()>> candidates,
                             const std::function<std::int64_t()>& cpu_ns,
                             const std::function<void()>& tick) {
  BITPILOT_CHECK(candidates.size() >= 2);
  std::vector<Timed> timed;
  for (const std::function<void()>& run : candidates) timed.push_back({.run = &run});
  double spent_ns = 0.0;
  for (int round = 0;
       round < kMaxRounds && (round < kMinTimingRounds || spent_ns < kRoundsBudgetNs); ++round) {
    for (Timed& one : timed) {
      if (!one.hopeless) spent_ns += one.Sample(cpu_ns);
    }
    const double hopeless_ns = kHopeless * BestNs(timed);
    for (Timed& one : timed) one.hopeless = round > 0 && one.best_ns > hopeless_ns;
    if (std::count_if(timed.begin(), timed.end(), [](const Timed& one) { return !one.hopeless; }) ==
        1) {
      break;
    }
    tick();
  }
  const Timed* winner = &timed.front();
  for (const Timed& one : timed) {
    if (one.best_ns < kNeededAdvantage * winner->best_ns) winner = &one;
  }
  double next_ns = std::numeric_limits<double>::infinity();
  for (const Timed& one : timed) {
    if (&one != winner) next_ns = std::min(next_ns, one.best_ns);
  }
  return {.index = static_cast<std::size_t>(winner - timed.data()),
          .margin = next_ns / winner->best_ns - 1.0};
}

}  // namespace bitpilot

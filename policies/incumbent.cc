#include "policies/incumbent.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "policies/acquisition.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"
#include "policies/reward.h"

namespace bitpilot {
namespace {

constexpr double kFirstTemperature = 1.0;
constexpr double kLastTemperature = 0.05;

// REQUIRES: transition.status == kMeasured.
double UtilityOf(const SearchProblem& problem, const Transition& transition) {
  const Reference reference = AnchoredReference(problem);
  return UtilityOf(problem, {.excess_loss = transition.loss - reference.loss,
                             .accuracy = transition.accuracy,
                             .latency_ratio = transition.latency_ns.value() / reference.latency_ns,
                             .energy_ratio = ObjectiveEnergy(problem, transition)});
}

}  // namespace

std::optional<std::size_t> Incumbent(const SearchProblem& problem,
                                     const std::vector<Transition>& history, std::uint64_t seed) {
  std::optional<std::size_t> incumbent;
  double incumbent_utility = 0.0;
  double sum_of_squares = 0.0;
  int differences = 0;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (history[i].status != TransitionStatus::kMeasured) {
      continue;
    }
    const double utility = UtilityOf(problem, history[i]);
    bool accept = !incumbent;
    if (incumbent) {
      const double difference = utility - incumbent_utility;
      sum_of_squares += difference * difference;
      const double deviation = std::sqrt(sum_of_squares / ++differences);
      const double progress =
          static_cast<double>(i) / static_cast<double>(std::max(1, problem.max_measurements));
      const double temperature =
          kFirstTemperature *
          PlainExp(PlainLog(kLastTemperature / kFirstTemperature) * std::min(1.0, progress));
      RandomStream random(seed, "metropolis", static_cast<std::uint64_t>(i));
      accept = difference >= 0.0 ||
               random.NextUniform() < PlainExp(difference / (deviation * temperature));
    }
    if (accept) {
      incumbent = i;
      incumbent_utility = utility;
    }
  }
  return incumbent;
}

}  // namespace bitpilot

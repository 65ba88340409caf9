#include "policies/incumbent.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "policies/observed_front.h"
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

void IncumbentWalk::Take(const std::vector<Transition>& history) {
  for (; num_taken_ < history.size(); ++num_taken_) {
    if (history[num_taken_].status == TransitionStatus::kMeasured) {
      Meet(num_taken_, UtilityOf(problem_, history[num_taken_]));
    }
  }
}

void IncumbentWalk::Meet(std::size_t index, double utility) {
  bool accept = !incumbent_;
  if (incumbent_) {
    const double difference = utility - utility_;
    sum_of_squares_ += difference * difference;
    const double deviation = std::sqrt(sum_of_squares_ / ++differences_);
    const double progress =
        static_cast<double>(index) / static_cast<double>(std::max(1, problem_.max_measurements));
    const double temperature =
        kFirstTemperature *
        PlainExp(PlainLog(kLastTemperature / kFirstTemperature) * std::min(1.0, progress));
    RandomStream random(seed_, "metropolis", static_cast<std::uint64_t>(index));
    accept = difference >= 0.0 ||
             random.NextUniform() < PlainExp(difference / (deviation * temperature));
  }
  if (accept) {
    incumbent_ = index;
    utility_ = utility;
  }
}

}  // namespace bitpilot

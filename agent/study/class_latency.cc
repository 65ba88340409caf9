#include "agent/study/class_latency.h"

#include <variant>

namespace bitpilot {

std::optional<double> ClassLatencyNs(const SearchProblem& problem, const ClassOutcome& outcome) {
  const auto* measured = std::get_if<Measured>(&outcome.result);
  if (measured == nullptr) return std::nullopt;
  if (problem.class_uniform8_ns.empty()) return measured->ratio * problem.uniform8.latency_ns;
  const auto uniform8 = problem.class_uniform8_ns.find(outcome.on);
  if (uniform8 == problem.class_uniform8_ns.end()) return std::nullopt;
  return measured->ratio * uniform8->second;
}

}  // namespace bitpilot

#include "policies/networks_left.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace bitpilot {
namespace {

// Board seconds that measuring one more network may take.
double SecondsOfANetwork(const View& view) {
  const Totals& totals = view.conditions()->totals;
  const double even = totals.board_seconds.value_or(0.0) *
                      static_cast<double>(view.Classes().size()) / std::max(1, totals.measurements);
  double sum = 0.0;
  double squares = 0.0;
  int networks = 0;
  for (const AnsweredTrial& answered : view.answered()) {
    double seconds = 0.0;
    for (const ClassOutcome& outcome : answered.outcome.classes) seconds += outcome.board_seconds;
    if (seconds <= 0.0) continue;
    sum += seconds;
    squares += seconds * seconds;
    ++networks;
  }
  if (networks == 0) return even;
  const double mean = sum / networks;
  return std::max(even, mean + std::sqrt(std::max(0.0, squares / networks - mean * mean)));
}

}  // namespace

int NetworksLeftToMeasure(const View& view) {
  const std::vector<ClassId> classes = view.Classes();
  if (classes.empty()) return 0;
  const int by_number = view.measurements_left() / static_cast<int>(classes.size());
  std::optional<double> seconds = view.board_seconds_left();
  if (!seconds) return by_number;
  const double each = SecondsOfANetwork(view);
  for (const Action& action : view.in_flight()) {
    const auto* trial = std::get_if<Trial>(&action);
    if (trial != nullptr && !trial->classes.empty()) *seconds -= each;
  }
  if (*seconds <= 0.0) return 0;
  return std::min(by_number, std::max(1, static_cast<int>(*seconds / each)));
}

}  // namespace bitpilot

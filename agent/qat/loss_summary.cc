#include "agent/qat/loss_summary.h"

#include <cmath>

namespace bitpilot {
namespace {

double MeanOf(std::span<const double> values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return values.empty() ? 0.0 : sum / static_cast<double>(values.size());
}

}  // namespace

double StandardErrorOfMean(std::span<const double> values) {
  if (values.size() < 2) return 0.0;
  const auto count = static_cast<double>(values.size());
  const double mean = MeanOf(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (count - 1.0) / count);
}

void SummarizeLosses(std::span<const double> losses, Evaluation& evaluation) {
  evaluation.losses.assign(losses.begin(), losses.end());
  evaluation.loss = MeanOf(losses);
  evaluation.loss_error = StandardErrorOfMean(losses);
}

}  // namespace bitpilot

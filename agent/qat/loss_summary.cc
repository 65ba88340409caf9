#include "agent/qat/loss_summary.h"

#include <cmath>

namespace bitpilot {

void SummarizeLosses(std::span<const double> losses, Evaluation& evaluation) {
  evaluation.losses.assign(losses.begin(), losses.end());
  evaluation.loss = 0.0;
  evaluation.loss_error = 0.0;
  if (losses.empty()) return;
  const auto count = static_cast<double>(losses.size());
  for (const double loss : losses) evaluation.loss += loss;
  evaluation.loss /= count;
  if (losses.size() < 2) return;
  double squares = 0.0;
  for (const double loss : losses) {
    squares += (loss - evaluation.loss) * (loss - evaluation.loss);
  }
  evaluation.loss_error = std::sqrt(squares / (count - 1.0) / count);
}

}  // namespace bitpilot

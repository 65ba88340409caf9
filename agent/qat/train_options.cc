#include "agent/qat/train_options.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bitpilot {

double LearningRate(const TrainOptions& options, std::int64_t batch, std::int64_t batches) {
  const bool is_part = options.schedule_batches > 0;
  const auto i = static_cast<double>(is_part ? options.schedule_position + batch : batch);
  const auto n = static_cast<double>(is_part ? options.schedule_batches : batches);
  const double progress = std::min(1.0, (i + 0.5) / n);
  const double fall = 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  return options.learning_rate *
         (options.rate_end + (options.rate_begin - options.rate_end) * fall);
}

}  // namespace bitpilot

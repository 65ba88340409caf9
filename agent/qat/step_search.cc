#include "agent/qat/step_search.h"

#include <algorithm>
#include <cmath>

namespace bitpilot {
namespace {

// Ratios 1, 0.94, 0.94^2, ... of the whole range; 48 of them reach 5 % of it.
constexpr int kGridSize = 48;
constexpr double kGridRatio = 0.94;

// The grid's ratio with the smallest error(ratio), the largest one of equals.
template <typename Error>
double BestRatio(const Error& error) {
  double best_ratio = 1.0;
  double best_error = error(1.0);
  double ratio = kGridRatio;
  for (int i = 1; i < kGridSize; ++i, ratio *= kGridRatio) {
    const double candidate = error(ratio);
    if (candidate < best_error) {
      best_error = candidate;
      best_ratio = ratio;
    }
  }
  return best_ratio;
}

float AtLeastMinStep(double step) { return std::max(kMinStepSize, static_cast<float>(step)); }

}  // namespace

float SearchWeightStep(std::span<const float> weights, int bits) {
  double magnitude_sum = 0.0;
  double largest = 0.0;
  for (const float weight : weights) {
    magnitude_sum += std::abs(static_cast<double>(weight));
    largest = std::max(largest, std::abs(static_cast<double>(weight)));
  }
  if (bits == 1) return AtLeastMinStep(magnitude_sum / static_cast<double>(weights.size()));
  if (largest == 0.0) return kMinStepSize;
  const LevelRange range = WeightRange(bits);
  const auto step_at = [&](double ratio) { return AtLeastMinStep(largest * ratio / range.max); };
  return step_at(BestRatio([&](double ratio) {
    return QuantizationError(weights.data(), weights.size(), step_at(ratio), range);
  }));
}

ActivationStep SearchActivationStep(std::span<const float> values, int bits, bool non_negative) {
  double low = 0.0;
  double high = 0.0;
  for (const float value : values) {
    low = std::min(low, static_cast<double>(value));
    high = std::max(high, static_cast<double>(value));
  }
  if (non_negative) low = 0.0;
  if (high - low == 0.0) return {1.0F, 0};  // nothing but zeros, exact at any step size
  const double top_code = (1 << bits) - 1;
  const auto choice_at = [&](double ratio) {
    const float step = AtLeastMinStep((high - low) * ratio / top_code);
    const double zero = std::nearbyint(-low * ratio / step);
    return ActivationStep{step, static_cast<int>(std::clamp(zero, 0.0, top_code))};
  };
  return choice_at(BestRatio([&](double ratio) {
    const ActivationStep choice = choice_at(ratio);
    const LevelRange range = ActivationRange(bits, choice.zero_point);
    // With non_negative, a negative value costs the same at every ratio, so it does not move the
    // minimum.
    return QuantizationError(values.data(), values.size(), choice.step, range);
  }));
}

}  // namespace bitpilot

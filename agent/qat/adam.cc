#include "agent/qat/adam.h"

#include <algorithm>
#include <cmath>

#include "agent/qat/lsq_kernels.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

}  // namespace

void AdamUpdate(std::span<float> value, std::span<const float> gradient, double learning_rate,
                AdamMoments& moments) {
  const std::size_t n = value.size();
  BITPILOT_CHECK(gradient.size() == n && moments.first.size() == n && moments.second.size() == n);
  ++moments.updates;
  const auto count = static_cast<double>(moments.updates);
  const auto rate = static_cast<float>(learning_rate / (1.0 - std::pow(kBeta1, count)));
  const auto correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(kBeta2, count)));
  constexpr auto kDecay1 = static_cast<float>(kBeta1);
  constexpr auto kDecay2 = static_cast<float>(kBeta2);
  constexpr auto kFloor = static_cast<float>(kEpsilon);
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i];
    const float m = kDecay1 * moments.first[i] + (1.0F - kDecay1) * g;
    const float v = kDecay2 * moments.second[i] + (1.0F - kDecay2) * g * g;
    moments.first[i] = m;
    moments.second[i] = v;
    value[i] -= rate * m / (std::sqrt(v) * correction + kFloor);
  }
}

void AdamUpdateStep(LearnedStep& learned, float gradient, double learning_rate) {
  const double g = static_cast<double>(gradient) * learned.step;  // d loss / d log(step)
  ++learned.updates;
  learned.first = static_cast<float>(kBeta1 * learned.first + (1.0 - kBeta1) * g);
  learned.second = static_cast<float>(kBeta2 * learned.second + (1.0 - kBeta2) * g * g);
  const double m = learned.first / (1.0 - std::pow(kBeta1, learned.updates));
  const double v = learned.second / (1.0 - std::pow(kBeta2, learned.updates));
  const double factor = std::exp(-learning_rate * m / (std::sqrt(v) + kEpsilon));
  learned.step = std::max(kMinStepSize, static_cast<float>(learned.step * factor));
}

}  // namespace bitpilot

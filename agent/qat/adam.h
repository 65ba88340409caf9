// Adam on plain arrays: the optimizer of weights and step sizes.
//
// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1, with
// its defaults (0.9, 0.999, 1e-8).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitpilot {

// First and second moments of one parameter, [n] each.
struct AdamMoments {
  std::vector<float> first;
  std::vector<float> second;
  std::int64_t updates = 0;

  AdamMoments() = default;
  explicit AdamMoments(std::size_t n) : first(n, 0.0F), second(n, 0.0F) {}
  friend bool operator==(const AdamMoments&, const AdamMoments&) = default;
};

// value -= learning_rate * m / (sqrt(v) + epsilon), with bias-corrected moments m and v.
//
// REQUIRES: all of one size.
void AdamUpdate(std::span<float> value, std::span<const float> gradient, double learning_rate,
                AdamMoments& moments);

// A learned step size with its own moments and count, since each channel and width is updated only
// while it is in use.
struct LearnedStep {
  float step = 0.0F;  // 0: never set
  float first = 0.0F;
  float second = 0.0F;
  std::int32_t updates = 0;
  friend bool operator==(const LearnedStep&, const LearnedStep&) = default;
};

// Adam on log(step): step *= exp(-learning_rate * m / (sqrt(v) + epsilon)). Step sizes of one
// network differ by orders of magnitude; a relative update fits all of them and keeps them
// positive.
//
// gradient: of the loss with respect to the step size itself.
void AdamUpdateStep(LearnedStep& learned, float gradient, double learning_rate);

}  // namespace bitpilot

#include "agent/qat/state_bank.h"

#include <cstdlib>
#include <optional>

#include "agent/qat/step_search.h"

namespace bitpilot {
namespace {

// The width nearest to `bits` that satisfies `accepts`, the wider of two equally near.
template <typename Accepts>
std::optional<int> NearestWidth(int bits, const Accepts& accepts) {
  for (int distance = 0; distance < kMaxBits; ++distance) {
    for (const int candidate : {bits + distance, bits - distance}) {
      if (candidate >= 1 && candidate <= kMaxBits && accepts(candidate)) return candidate;
    }
  }
  return std::nullopt;
}

std::size_t Index(int bits) { return static_cast<std::size_t>(bits - 1); }

}  // namespace

void PrepareLayer(LayerState& layer, std::span<const float> weights, std::span<const int> bits) {
  const std::size_t depth = weights.size() / bits.size();
  for (std::size_t c = 0; c < bits.size(); ++c) {
    LayerWidthState& state = layer[Index(bits[c])];
    LearnedStep& learned = state.steps[c];
    if (learned.updates == 0) {
      learned.step = SearchWeightStep(weights.subspan(c * depth, depth), bits[c]);
    }
    if (state.statistics.empty() || state.statistics[c].is_set()) continue;
    const std::optional<int> neighbour = NearestWidth(
        bits[c], [&](int width) { return layer[Index(width)].statistics[c].is_set(); });
    if (neighbour) state.statistics[c] = layer[Index(*neighbour)].statistics[c];
  }
}

bool PrepareTensor(TensorState& tensor, int bits) {
  TensorWidthState& state = tensor[Index(bits)];
  if (state.learned.updates > 0) return true;
  if (state.calibrated_step == 0.0F) return false;
  state.learned.step = state.calibrated_step;
  const std::optional<int> neighbour = NearestWidth(bits, [&](int width) {
    const TensorWidthState& other = tensor[Index(width)];
    return other.learned.updates > 0 && other.calibrated_step > 0.0F;
  });
  if (neighbour) {
    const TensorWidthState& other = tensor[Index(*neighbour)];
    state.learned.step *= other.learned.step / other.calibrated_step;
  }
  return true;
}

}  // namespace bitpilot

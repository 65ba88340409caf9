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
    LearnedStep& learned = layer[Index(bits[c])][c];
    if (learned.updates > 0) continue;
    learned.step = SearchWeightStep(weights.subspan(c * depth, depth), bits[c]);
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

std::vector<StoredQuantizer> QuantizersOf(const StateBank& bank, const BitAssignment& assignment) {
  std::vector<StoredQuantizer> quantizers;
  for (std::size_t t = 0; t < bank.tensors.size(); ++t) {
    const int bits = assignment.activation_bits[t];
    const TensorWidthState& tensor = bank.tensors[t][Index(bits)];
    quantizers.push_back({tensor.learned.step, bits, tensor.zero_point});
  }
  return quantizers;
}

void ForgetWidths(const BitAssignment& assignment, StateBank& bank) {
  for (std::size_t l = 0; l < bank.layers.size(); ++l) {
    const std::vector<int> bits = ExpandRuns(assignment.weight_bits[l]);
    for (std::size_t c = 0; c < bits.size(); ++c) bank.layers[l][Index(bits[c])][c] = {};
  }
  for (std::size_t t = 1; t < bank.tensors.size(); ++t) {
    bank.tensors[t][Index(assignment.activation_bits[t])].learned = {};
  }
}

}  // namespace bitpilot

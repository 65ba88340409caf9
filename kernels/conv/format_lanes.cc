// For CPUs without dot products, whose vector lanes are elements of a window. Input: codes of up to 7 bits as they are, of
// 8 bits less 128, 16 a step. Weights: 16 consecutive ones of a channel beside each other.
//
//   byte 256 s + 16 c + i is w[c][16 s + i]
//
//   step s | w[0][16s..16s+15] | w[1][16s..16s+15] | ... | w[15][16s..16s+15] |     256 bytes
//
// Runs are padded to whole steps: codes behind a run are read, and have zero weights.
//
// lanes        sums in 32 bits
// lanes_int16  sums in 16 bits, each of two products a step, widened before they can overflow
#include <cstdint>

#include "kernels/conv/conv_steps.h"

namespace bitpilot {
namespace {

constexpr int kElements = 16;
constexpr StepRule kSteps = {.elements = kElements, .input_bytes = kElements};
constexpr std::ptrdiff_t kLanesStepBytes = std::ptrdiff_t{kBlockChannels} * kElements;

int Int16LanePeriod(int weight_bits, int activation_bits) {
  const int code_max = activation_bits == 8 ? 128 : (1 << activation_bits) - 1;
  return 32'767 / (2 * MaxProduct(weight_bits, 1) * code_max);
}

PackedConv Pack(const ConvWindow& window, const ConvWeights& from, int period) {
  const std::ptrdiff_t block_bytes = NumSteps(window, kSteps) * kLanesStepBytes;
  PackedConv packed;
  packed.runs = PlanRuns(window, kSteps, period);
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* lane =
        packed.weights.data() + o / kBlockChannels * block_bytes + kElements * (o % kBlockChannels);
    ForEachWeight(window, kSteps, from.codes + o * WindowDepth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    lane[step * kLanesStepBytes + element] = static_cast<std::uint8_t>(weight);
                  });
  }
  return packed;
}

std::vector<DepthRun> PartRuns(const ConvWindow& window, const FilterPart& part, int period) {
  return PlanPartRuns(window, kSteps, part, period);
}

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kLanes = {
    .way = "lanes",
    .input_of_8_bits = &kSignedCodesForm,
    .elements_per_step = kElements,
    .pack = [](const ConvWindow& window,
               const ConvWeights& weights) { return Pack(window, weights, 0); },
    .part_runs = PartRuns};

extern constexpr ConvFormat kLanesInt16 = {
    .way = "lanes int16",
    .input_of_8_bits = &kSignedCodesForm,
    .elements_per_step = kElements,
    .widen_period = Int16LanePeriod,
    .pack =
        [](const ConvWindow& window, const ConvWeights& weights) {
          return Pack(window, weights,
                      Int16LanePeriod(weights.weight_bits, weights.activation_bits));
        },
    .part_runs = PartRuns};

}  // namespace conv_formats
}  // namespace bitpilot

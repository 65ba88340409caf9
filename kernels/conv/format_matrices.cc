// For products of byte matrices (usmmla): codes as they are, 8 a step; weights of two channels are a matrix of 2 x 8.
//
//   byte 128 s + 8 c + i is w[c][8 s + i]
//
//   step s | w[0][8s..8s+7] w[1][8s..8s+7] | w[2][..] w[3][..] | ... | w[14][..] w[15][..] |     128 bytes
//
// Runs are padded to whole steps: codes behind a run are read, and have zero weights.
#include <cstdint>

#include "kernels/conv/conv_steps.h"

namespace bitpilot {
namespace {

constexpr int kElements = 8;
constexpr StepRule kSteps = {.elements = kElements, .input_bytes = kElements};
constexpr std::ptrdiff_t kMatricesStepBytes = std::ptrdiff_t{kBlockChannels} * kElements;

PackedConv Pack(const ConvWindow& window, const ConvWeights& from) {
  const std::ptrdiff_t block_bytes = NumSteps(window, kSteps) * kMatricesStepBytes;
  PackedConv packed;
  packed.runs = PlanRuns(window, kSteps, 0);
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* lane =
        packed.weights.data() + o / kBlockChannels * block_bytes + kElements * (o % kBlockChannels);
    ForEachWeight(window, kSteps, from.codes + o * WindowDepth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    lane[step * kMatricesStepBytes + element] = static_cast<std::uint8_t>(weight);
                  });
  }
  return packed;
}

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kMatrices = {
    .way = "matrices",
    .elements_per_step = kElements,
    .pack = Pack,
    .part_runs = [](const ConvWindow& window, const FilterPart& part, int period) {
      return PlanPartRuns(window, kSteps, part, period);
    }};

}  // namespace conv_formats
}  // namespace bitpilot

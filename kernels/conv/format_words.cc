// Codes and weights widened to int16, 2 a step.
//
//   the int16 at byte 64 s + 4 c + 2 i is w[c][2 s + i]
//
//   step s | w[0][2s] w[0][2s+1] | w[1][2s] w[1][2s+1] | ... | w[15][2s+1] |     64 bytes
#include <cstdint>
#include <cstring>

#include "kernels/conv/conv_steps.h"
#include "kernels/elementwise/elementwise.h"

namespace bitpilot {
namespace {

constexpr StepRule kSteps = {.elements = 2};

constexpr ConvInputForm kWordsForm = {
    .pixel_bytes = [](std::ptrdiff_t code_bytes) { return 2 * code_bytes; },
    // Of a group's last channels a step may read one word more.
    .total_bytes =
        [](const InputCodes& input) { return 2 * input.total_bytes + input.slack_bytes; },
    .convert =
        [](const ElementwiseKernels& elementwise, const InputCodes& input, const PixelRange& pixels,
           std::uint8_t* form) {
          const std::ptrdiff_t begin = pixels.begin * input.pixel_bytes;
          const std::ptrdiff_t end = pixels.end * input.pixel_bytes;
          elementwise.widen_codes(input.codes + begin, static_cast<std::size_t>(end - begin),
                                  reinterpret_cast<std::int16_t*>(form) + begin);
        }};

PackedConv Pack(const ConvWindow& window, const ConvWeights& from) {
  const std::ptrdiff_t block_bytes = NumSteps(window, kSteps) * kStepBytes;
  PackedConv packed;
  packed.runs = PlanRuns(window, kSteps, 0);
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* lane =
        packed.weights.data() + o / kBlockChannels * block_bytes + 4 * (o % kBlockChannels);
    ForEachWeight(window, kSteps, from.codes + o * WindowDepth(window),
                  [&](std::ptrdiff_t step, int element, std::int16_t weight) {
                    std::memcpy(lane + step * kStepBytes + 2 * element, &weight, sizeof(weight));
                  });
  }
  return packed;
}

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kWords = {
    .way = "words",
    .input = &kWordsForm,
    .elements_per_step = kSteps.elements,
    .pack = Pack,
    .part_runs = [](const ConvWindow& window, const FilterPart& part, int period) {
      return PlanPartRuns(window, kSteps, part, period);
    }};

}  // namespace conv_formats
}  // namespace bitpilot

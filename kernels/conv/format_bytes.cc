// Codes as they are, 4 a step, and weights of 8 bits, 4 a channel and step: for products of bytes.
//
//   byte 64 s + 4 c + i is w[c][4 s + i]
//
//   step s | w[0][4s..4s+3] | w[1][4s..4s+3] | ... | w[15][4s..4s+3] |     64 bytes
//
// bytes        sums in 32 bits.
// signed_bytes the same, but for codes of 8 bits, of which 128 is taken: for products of signed bytes. Kernels read 16
//              codes at once, so also some behind a run, whose products they leave out.
// bytes_int16  sums in 16 bits, from what centres them (kernels/conv/conv_begins.h), widened before they can overflow.
// tiles        the same weights; every run is a whole number of tiles, all of the same number of steps and at most
//              kTileSteps: codes behind a run may be read, and have zero weights.
#include <cstdint>
#include <cstring>

#include "kernels/conv/conv_begins.h"
#include "kernels/conv/conv_steps.h"

namespace bitpilot {
namespace {

// As many vectors of the CPU as it takes.
using Bytes64 = std::uint8_t __attribute__((vector_size(64)));

std::size_t WholeVectors(std::ptrdiff_t bytes) {
  return RoundUp(static_cast<std::size_t>(bytes), sizeof(Bytes64));
}

constexpr StepRule kSteps = {};
constexpr StepRule kTileRule = {.tile_steps = kTileSteps};

PackedConv Pack(const ConvWindow& window, const ConvWeights& from, const StepRule& rule,
                int period) {
  const std::ptrdiff_t block_bytes = NumSteps(window, rule) * kStepBytes;
  PackedConv packed;
  packed.runs = PlanRuns(window, rule, period);
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* lane =
        packed.weights.data() + o / kBlockChannels * block_bytes + 4 * (o % kBlockChannels);
    ForEachWeight(window, rule, from.codes + o * WindowDepth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    lane[step * kStepBytes + element] = static_cast<std::uint8_t>(weight);
                  });
  }
  return packed;
}

std::vector<DepthRun> PartRuns(const ConvWindow& window, const FilterPart& part, int period) {
  return PlanPartRuns(window, kSteps, part, period);
}

}  // namespace

extern constexpr ConvInputForm kCodesForm = {
    .pixel_bytes = [](std::ptrdiff_t code_bytes) { return code_bytes; }};

extern constexpr ConvInputForm kSignedCodesForm = {
    .pixel_bytes = [](std::ptrdiff_t code_bytes) { return code_bytes; },
    .total_bytes =
        [](const InputCodes& input) {
          return WholeVectors(static_cast<std::ptrdiff_t>(input.total_bytes)) + input.slack_bytes;
        },
    .convert =
        [](const ElementwiseKernels&, const InputCodes& input, const PixelRange& pixels,
           std::uint8_t* form) {
          // Vectors that begin in the range; the last reads what may be read behind the codes.
          const std::size_t begin = WholeVectors(pixels.begin * input.pixel_bytes);
          const std::size_t end = WholeVectors(pixels.end * input.pixel_bytes);
          for (std::size_t i = begin; i < end; i += sizeof(Bytes64)) {
            Bytes64 codes;
            std::memcpy(&codes, input.codes + i, sizeof(codes));
            codes ^= 0x80;
            std::memcpy(form + i, &codes, sizeof(codes));
          }
        },
    .code_offset = 128};

namespace conv_formats {

extern constexpr ConvFormat kBytes = {
    .way = "bytes",
    .pack = [](const ConvWindow& window,
               const ConvWeights& weights) { return Pack(window, weights, kSteps, 0); },
    .part_runs = PartRuns};

extern constexpr ConvFormat kSignedBytes = {.way = "signed bytes",
                                            .input_of_8_bits = &kSignedCodesForm,
                                            .pack = kBytes.pack,
                                            .part_runs = PartRuns};

extern constexpr ConvFormat kBytesInt16 = {
    .way = "bytes int16",
    .widen_period = Int16Period,
    .pack =
        [](const ConvWindow& window, const ConvWeights& weights) {
          return Pack(window, weights, kSteps,
                      Int16Period(weights.weight_bits, weights.activation_bits));
        },
    .part_runs = PartRuns,
    .begins =
        [](const ConvArgs& args, int num_blocks, int weight_bits, int activation_bits) {
          const DepthRun* end = args.runs;
          while (end->num_steps != 0) ++end;
          return PackBegins({args.runs, end + 1}, args.weights, args.weight_block_bytes, num_blocks,
                            weight_bits, activation_bits);
        }};

// Tiles of one pixel are nearly empty, and tiles run on from row to row.
extern constexpr ConvFormat kTiles = {
    .way = "tiles",
    .min_pixels = 2,
    .splits_filter = false,
    .pack = [](const ConvWindow& window, const ConvWeights& weights) {
      return Pack(window, weights, kTileRule, 0);
    }};

}  // namespace conv_formats
}  // namespace bitpilot

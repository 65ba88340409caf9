// Input: for each 4 codes a table of the sums of all their subsets (elementwise.h, build_tables), 2 tables a step.
// Weights: planes of two's complement, at 1 bit a plane whose set bits are +1 and the others -1; a byte is a subset of 4
// elements:
//
//   plane q, step s | table 0: subset of channel 0 | ... | of channel 15 | table 1: ... |     32 bytes
//   bit i of it is bit q of w[c][8 s + 4 table + i]
//
// Sums of look-ups grow in bytes, so runs widen in time. Kernels of 16-byte vectors look up both tables of a step into
// the same bytes, one behind the other (kTablesInTurn); those of 32 bytes (kTables) into bytes of their own.
#include <cstdint>

#include "kernels/conv/conv_steps.h"
#include "kernels/elementwise/elementwise.h"

namespace bitpilot {
namespace {

// Tables are of 4 channels from a multiple of 4 on.
constexpr StepRule kSteps = {.elements = 8, .input_bytes = 2 * kTableBytes, .aligned_to = 4};

constexpr ConvInputForm kTablesForm = {
    .pixel_bytes = [](std::ptrdiff_t code_bytes) { return kTableBytes / 4 * code_bytes; },
    // A window's last step may read one more table.
    .total_bytes =
        [](const InputCodes& input) { return kTableBytes / 4 * input.total_bytes + kTableBytes; },
    .convert =
        [](const ElementwiseKernels& elementwise, const InputCodes& input, const PixelRange& pixels,
           std::uint8_t* form) {
          const std::ptrdiff_t begin = pixels.begin * input.pixel_bytes;
          const std::ptrdiff_t end = pixels.end * input.pixel_bytes;
          elementwise.build_tables(input.codes + begin, static_cast<std::size_t>(end - begin) / 4,
                                   form + kTableBytes / 4 * begin);
          // The empty sum of the one more table must be 0, too.
          if (pixels.end == input.num_pixels()) form[kTableBytes / 4 * end] = 0;
        }};

template <int kLookups>
int Period(int, int activation_bits) {
  return TablePeriod(kLookups, activation_bits);
}

template <int kLookups>
PackedConv Pack(const ConvWindow& window, const ConvWeights& from) {
  const int weight_bits = from.weight_bits;
  const std::ptrdiff_t plane_bytes = NumSteps(window, kSteps) * kSteps.input_bytes;
  const std::ptrdiff_t block_bytes = weight_bits * plane_bytes;
  PackedConv packed;
  packed.runs = PlanRuns(window, kSteps, Period<kLookups>(weight_bits, from.activation_bits));
  packed.weight_planes = weight_bits;
  packed.weight_plane_bytes = plane_bytes;
  packed.reads_window_sums = weight_bits == 1;
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* block = packed.weights.data() + o / kBlockChannels * block_bytes;
    ForEachWeight(window, kSteps, from.codes + o * WindowDepth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    const int planes = weight_bits == 1 ? static_cast<int>(weight > 0) : weight;
                    for (int q = 0; q < weight_bits; ++q) {
                      std::uint8_t& subset = block[q * plane_bytes + step * kSteps.input_bytes +
                                                   element / 4 * kTableBytes + o % kBlockChannels];
                      subset = static_cast<std::uint8_t>(subset | (planes >> q & 1) << element % 4);
                    }
                  });
  }
  return packed;
}

template <int kLookups>
constexpr ConvFormat Tables() {
  return {.way = "tables",
          .input = &kTablesForm,
          .elements_per_step = kSteps.elements,
          .widen_period = Period<kLookups>,
          .pack = Pack<kLookups>,
          .part_runs = [](const ConvWindow& window, const FilterPart& part, int period) {
            return PlanPartRuns(window, kSteps, part, period);
          }};
}

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kTables = Tables<1>();
extern constexpr ConvFormat kTablesInTurn = Tables<2>();

}  // namespace conv_formats
}  // namespace bitpilot

// Input: tables of the sums of 16 codes of a pixel, 4 by 4, with all signs (elementwise.h, build_sign_tables): a table a
// step.
// Weights: planes of signs, whose sum is the weight if there is one and twice the weight if there are two; byte c of a
// step's 4 bytes chooses the entry of the table for its 4 codes:
//
//   plane q, step s | channel 0: 4 entries | ... | channel 15: 4 entries |     64 bytes
//   entry for codes 4 g..4 g + 3 with signs b0..b3 = 16 (b3 b2) + 4 g + (b1 b0)
#include <cstdint>

#include "kernels/conv/conv_steps.h"
#include "kernels/elementwise/elementwise.h"

namespace bitpilot {
namespace {

std::ptrdiff_t PixelBytes(std::ptrdiff_t code_bytes) {
  return (code_bytes + kSignTableChannels - 1) / kSignTableChannels * kSignTableBytes;
}

constexpr ConvInputForm kSignTablesForm = {
    .pixel_bytes = PixelBytes,
    .total_bytes =
        [](const InputCodes& input) {
          return static_cast<std::size_t>(input.num_pixels() * PixelBytes(input.pixel_bytes));
        },
    .convert =
        [](const ElementwiseKernels& elementwise, const InputCodes& input, const PixelRange& pixels,
           std::uint8_t* form) {
          elementwise.build_sign_tables(input.codes + pixels.begin * input.pixel_bytes,
                                        pixels.end - pixels.begin, input.pixel_bytes,
                                        input.channels,
                                        form + pixels.begin * PixelBytes(input.pixel_bytes));
        }};

// Groups of kSignTableChannels channels of a pixel that a window reads.
struct ChannelGroups {
  int first = 0;
  int count = 0;
};

ChannelGroups GroupsOf(const ConvWindow& window) {
  const int first = window.first_channel / kSignTableChannels;
  const auto end = window.all_channels
                       ? static_cast<int>(PixelBytes(window.pixel_bytes) / kSignTableBytes)
                       : (window.first_channel + window.group_channels + kSignTableChannels - 1) /
                             kSignTableChannels;
  return {first, end - first};
}

// Byte of a table that has the sum with these signs of the codes of group `group`, 0 to 3.
std::uint8_t TableEntry(int group, int signs) {
  return static_cast<std::uint8_t>(16 * (signs / 4) + 4 * group + signs % 4);
}

std::vector<DepthRun> RowRuns(const ConvWindow& window) {
  const ChannelGroups groups = GroupsOf(window);
  const std::ptrdiff_t pixel = PixelBytes(window.pixel_bytes);
  const std::ptrdiff_t row = window.row_bytes / window.pixel_bytes * pixel;
  std::vector<DepthRun> runs;
  for (int y = 0; y < window.filter_h; ++y) {
    if (window.all_channels) {
      runs.push_back(
          {static_cast<std::int32_t>(y * row), window.filter_w * groups.count, 0, false});
      continue;
    }
    for (int x = 0; x < window.filter_w; ++x) {
      const std::ptrdiff_t offset = y * row + x * pixel + groups.first * kSignTableBytes;
      runs.push_back({static_cast<std::int32_t>(offset), groups.count, 0, false});
    }
  }
  runs.push_back({});
  return runs;
}

// REQUIRES: weights of at most 2 bits.
PackedConv Pack(const ConvWindow& window, const ConvWeights& from) {
  const ChannelGroups groups = GroupsOf(window);
  const int taps = window.filter_h * window.filter_w;
  PackedConv packed;
  packed.runs = RowRuns(window);
  // One plane has no weights of 0: not even for other groups' channels.
  packed.weight_planes = from.weight_bits == 1 && window.all_channels ? 1 : 2;
  packed.weight_plane_bytes = std::ptrdiff_t{taps} * groups.count * kStepBytes;
  const std::ptrdiff_t block_bytes = packed.weight_planes * packed.weight_plane_bytes;
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* to =
        packed.weights.data() + o / kBlockChannels * block_bytes + 4 * (o % kBlockChannels);
    const std::int8_t* channel_codes =
        from.codes + std::ptrdiff_t{o} * taps * window.group_channels;
    for (int i = 0; i < taps * groups.count * 4; ++i) {
      const int tap = i / (4 * groups.count);
      const int group = i % (4 * groups.count);
      int signs[] = {0, 0};
      for (int bit = 0; bit < 4; ++bit) {
        const int c = kSignTableChannels * groups.first + 4 * group + bit - window.first_channel;
        const int code = c < 0 || c >= window.group_channels
                             ? 0
                             : channel_codes[std::ptrdiff_t{tap} * window.group_channels + c];
        signs[0] |= (code >= 0 ? 1 : 0) << bit;
        signs[1] |= (code > 0 ? 1 : 0) << bit;
      }
      for (int q = 0; q < packed.weight_planes; ++q) {
        to[q * packed.weight_plane_bytes + i / 4 * kStepBytes + i % 4] =
            TableEntry(i % 4, signs[q]);
      }
    }
  }
  return packed;
}

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kSignTables = {
    .way = "sign tables",
    .input = &kSignTablesForm,
    .pack = Pack,
    .part_runs = [](const ConvWindow& window, const FilterPart& part, int) {
      return RunsOfRows(RowRuns(window), part);
    }};

}  // namespace conv_formats
}  // namespace bitpilot

// Weights that choose entries of tables of sums (ConvOperand::kSignTables).
#include <algorithm>

#include "kernels/conv/conv_packing.h"

namespace bitpilot {
namespace {

// Groups of kSignTableChannels channels of a pixel that a window reads.
struct ChannelGroups {
  int first = 0;
  int count = 0;
};

ChannelGroups GroupsOf(const ConvWindow& window) {
  const int first = window.first_channel / kSignTableChannels;
  const auto end = window.all_channels
                       ? static_cast<int>(SignTablePixelBytes(window.pixel_bytes) / kSignTableBytes)
                       : (window.first_channel + window.group_channels + kSignTableChannels - 1) /
                             kSignTableChannels;
  return {first, end - first};
}

// Byte of a table that has the sum with these signs of the codes of group `group`, 0 to 3.
std::uint8_t TableEntry(int group, int signs) {
  return static_cast<std::uint8_t>(16 * (signs / 4) + 4 * group + signs % 4);
}

}  // namespace

std::vector<DepthRun> PlanSignTableRuns(const ConvWindow& window) {
  const ChannelGroups groups = GroupsOf(window);
  const std::ptrdiff_t pixel = SignTablePixelBytes(window.pixel_bytes);
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

PackedConv PackSignTables(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                          int num_channels) {
  const ChannelGroups groups = GroupsOf(window);
  const int taps = window.filter_h * window.filter_w;
  PackedConv packed;
  packed.runs = PlanSignTableRuns(window);
  // One plane has no weights of 0: not even for other groups' channels.
  packed.weight_planes = weight_bits == 1 && window.all_channels ? 1 : 2;
  packed.weight_plane_bytes = std::ptrdiff_t{taps} * groups.count * kStepBytes;
  const std::ptrdiff_t block_bytes = packed.weight_planes * packed.weight_plane_bytes;
  packed.weights = AlignedBuffer(static_cast<std::size_t>(NumBlocks(num_channels) * block_bytes));
  for (int o = 0; o < num_channels; ++o) {
    std::uint8_t* to =
        packed.weights.data() + o / kBlockChannels * block_bytes + 4 * (o % kBlockChannels);
    const std::int8_t* channel_codes = codes + std::ptrdiff_t{o} * taps * window.group_channels;
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

std::vector<DepthRun> PlanRowRuns(const ConvWindow& window, ConvOperand operand) {
  return operand == ConvOperand::kSignTables ? PlanSignTableRuns(window)
                                             : PlanPlaneRuns(window, operand);
}

}  // namespace bitpilot

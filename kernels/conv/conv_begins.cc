#include "kernels/conv/conv_begins.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

namespace bitpilot {
namespace {

constexpr int kSumsPerChannel = 2;  // Each of pairs of bytes.

using PairSums = std::array<std::int32_t, kBlockChannels * kSumsPerChannel>;

void AddWeights(const std::uint8_t* step, PairSums* sums) {
  for (std::size_t pair = 0; pair < sums->size(); ++pair) {
    (*sums)[pair] += static_cast<std::int8_t>(step[2 * pair]);
    (*sums)[pair] += static_cast<std::int8_t>(step[2 * pair + 1]);
  }
}

// Of one block, to begins [1 + groups][kStepBytes].
void PackBlock(std::span<const DepthRun> runs, const std::uint8_t* weights, int middle,
               std::uint8_t* begins) {
  std::array<std::int32_t, kBlockChannels> all{};
  std::uint8_t* group = begins + kStepBytes;
  PairSums sums{};
  for (const DepthRun& run : runs) {
    weights += std::ptrdiff_t{run.skipped_steps} * kStepBytes;
    for (int step = 0; step < run.num_steps; ++step, weights += kStepBytes) {
      AddWeights(weights, &sums);
    }
    if (!run.widen && run.num_steps > 0) continue;
    std::array<std::int16_t, std::tuple_size_v<PairSums>> begin;
    for (std::size_t pair = 0; pair < sums.size(); ++pair) {
      begin[pair] = static_cast<std::int16_t>(-middle * sums[pair]);  // Modulo 2^16.
      all[pair / kSumsPerChannel] += middle * sums[pair];
    }
    std::memcpy(group, begin.data(), sizeof(begin));
    group += kStepBytes;
    sums = {};
  }
  std::memcpy(begins, all.data(), sizeof(all));
}

}  // namespace

std::vector<std::uint8_t> PackBegins(std::span<const DepthRun> runs, const std::uint8_t* weights,
                                     std::ptrdiff_t weight_block_bytes, int num_blocks,
                                     int weight_bits, int activation_bits) {
  const auto num_steps =
      std::accumulate(runs.begin(), runs.end(), std::int64_t{0},
                      [](std::int64_t sum, const DepthRun& run) { return sum + run.num_steps; });
  if (num_steps <= Int16StepsFromZero(weight_bits, activation_bits)) return {};
  const auto num_groups =
      1 + std::count_if(runs.begin(), runs.end(), [](const DepthRun& run) { return run.widen; });
  const std::ptrdiff_t block_bytes = (1 + num_groups) * kStepBytes;
  std::vector<std::uint8_t> begins(static_cast<std::size_t>(num_blocks * block_bytes));
  for (int block = 0; block < num_blocks; ++block) {
    PackBlock(runs, weights + block * weight_block_bytes, 1 << (activation_bits - 1),
              begins.data() + block * block_bytes);
  }
  return begins;
}

}  // namespace bitpilot

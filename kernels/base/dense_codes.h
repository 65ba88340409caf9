// Weights of whole blocks of channels, for whatever packs or reads them densely: a network stores
// nothing for its pruned channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/base/network.h"

namespace bitpilot {

// Channels of `weights` that are not pruned, among the first `channels`: the index of channel
// `channels` in weights.codes, if that is not pruned itself.
std::size_t NumStoredChannels(const LayerWeights& weights, std::size_t channels);

// Codes [count, depth] of `count` channels from `first` on, zeros for pruned ones.
//
// REQUIRES: weights.codes is [stored channels, depth], and the channels exist.
std::vector<std::int8_t> DenseCodes(const LayerWeights& weights, std::size_t first,
                                    std::size_t count, std::size_t depth);

}  // namespace bitpilot

// The AMX kernel on modelled tiles: its source, kernels/conv/conv_tiles.inc, compiled for any CPU.
#pragma once

#include "kernels/conv/conv.h"

namespace bitpilot {

// What conv_w8a8_i32_amx computes, for every CPU. Not thread-safe.
void conv_w8a8_i32_tile_model(const ConvArgs& args, int row_begin, int row_end);

namespace conv_formats {
extern const ConvFormat kTiles;
}

// A row as of kernels/conv/conv_kernels.inc.
inline constexpr ConvKernel kTileModelKernel = {.name = "conv_w8a8_i32_tile_model",
                                                .features = CpuFeature::kPortable,
                                                .max_weight_bits = 8,
                                                .max_activation_bits = 8,
                                                .max_bit_products = 64,
                                                .depth_per_product = 0,
                                                .format = &conv_formats::kTiles,
                                                .skips_weights = false,
                                                .run = conv_w8a8_i32_tile_model};

}  // namespace bitpilot

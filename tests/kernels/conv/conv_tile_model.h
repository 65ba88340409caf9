// The AMX kernel on modelled tiles: its source, kernels/conv/conv_tiles.inc, compiled for any CPU.
#pragma once

#include "kernels/conv/conv.h"

namespace bitpilot {

// What conv_w8a8_i32_amx computes, for every CPU. Not thread-safe.
void conv_w8a8_i32_tile_model(const ConvArgs& args, int row_begin, int row_end);

// A row as of kernels/conv/conv_kernels.inc.
inline constexpr ConvKernel kTileModelKernel = {.name = "conv_w8a8_i32_tile_model",
                                                .isa = Isa::kScalar,
                                                .max_weight_bits = 8,
                                                .max_activation_bits = 8,
                                                .operand = ConvOperand::kTiles,
                                                .max_bit_products = 64,
                                                .depth_per_product = 0,
                                                .accumulator_bits = 32,
                                                .run = conv_w8a8_i32_tile_model};

}  // namespace bitpilot

// ConvOperand: how the input and the packed weights of a convolution kernel lie in memory.
//
// A window's input comes in runs of consecutive bytes (DepthRun), each a number of *steps*. Weights are packed in
// blocks of 16 output channels, a block's steps one behind the other in the order in which a window's input is read.
//
//   x[e]      code of element e of a window; elements count in the order of memory: filter row, pixel, channel
//   w[c][e]   weight of channel c of the block, c = 0..15; 0 where e is no channel of the group (a pixel's padding, the
//             end of a run) and where c fills up the last block
//   s         step of the block, counted over all runs
#pragma once

#include <cstdint>

namespace bitpilot {

inline constexpr int kStepBytes = 64;  // Packed weights of one step of one block.

enum class ConvOperand : std::uint8_t {
  // Input: codes as they are, 4 a step.
  // Weights: byte 64 s + 4 c + i is w[c][4 s + i].
  //
  //   step s | w[0][4s..4s+3] | w[1][4s..4s+3] | ... | w[15][4s..4s+3] |     64 bytes
  kBytes = 0,

  // Input: codes widened to int16, 2 a step.
  // Weights: the int16 at byte 64 s + 4 c + 2 i is w[c][2 s + i].
  //
  //   step s | w[0][2s] w[0][2s+1] | w[1][2s] w[1][2s+1] | ... | w[15][2s+1] |     64 bytes
  kWords = 1,

  // Input: bit planes of codes (kernels/elementwise/elementwise.h, pack_planes), one image a plane: of plane p bit e is
  // bit p of x[e]; a step is a word of 32 bits of one plane, or of 16 where ConvArgs::pairs_pixels.
  // Weights: |w| = sum over planes q of 2^q m_q; a plane of a block has for each run its `count` and then its steps:
  //
  //   plane q, a run | count, 16 int32 | step 0: negative | mask | step 1: negative | mask | ...     64 bytes each
  //
  //   negative, mask   32 bits a channel (16 bits twice where pairs_pixels): w < 0 and m_q, and m_q
  //   count[c]         2^q times the number of negative ones of the run
  //   sum of x_p * sign over the run = 2^q popcount((x_p ^ negative) & mask) - count
  //
  // Without a weight of 0 (ConvArgs::masks_planes is false) there are no masks, and thirds of a run go together: with n
  // the third of its steps, words i, i + n and i + 2 n are a triple, of which are stored, triple after triple, `negative`
  // of the first two and the parity of all three; steps that are left follow. The input's parities are
  // ConvArgs::input_parity_bytes behind it.
  //
  //   a run | count | a0 b0 a0^b0^c0 | a1 b1 a1^b1^c1 | ... | rest |
  kSignPlanes = 2,

  // Input: the same planes, a word of 64 bits a step.
  // Weights: planes of two's complement, bit q of w: word c of step s of plane q. 1-bit weights have a plane whose set
  // bits are +1, and behind it one that masks the window's elements.
  //
  //   plane q, step s | 64 bits of channel 0 | ... | of channel 15 |     128 bytes
  //   sum of x_p * w over q = popcount(x_p & plane q) * (q is the sign ? -2^q : 2^q)
  kPlanes64 = 3,

  // Input: codes as they are, 4 a step.
  // Weights: a 64-bit word holds those of 64 / bits channels, one every `bits` bits, the kernel's accumulator_bits, added
  // up modulo 2^64, so that a negative one borrows from the next; FieldWords() words hold all 16.
  //
  //   step s, element i | word 0: ... + w[1][4s+i] 2^bits + w[0][4s+i] | word 1 | ... |     8 bytes each
  //   code * word = the products of all its channels, as long as their sums fit `bits`
  kFields = 4,

  // For layers with one output pixel. Input: codes as they are, 4 a step.
  // Weights: codes of 8 / bits channels, those of as many blocks, share a byte: the last has its sign in the high bits,
  // the others are offset by 2^(bits - 1) to be unsigned (kernels/conv/dense_vector.inc). kDenseGroupBlocks blocks
  // are a group, whose steps stand side by side; the last group has the blocks that are left.
  //
  //   4 bits, step s of a group | blocks 0+1: 16 channels x 4 elements | blocks 2+3 | 4+5 | 6+7 |     64 bytes each
  //   byte = (w of block 1) 2^4 + (w of block 0) + 8
  kDense8 = 5,
  kDense4 = 6,
  kDense2 = 7,

  // Input: for each 4 codes a table of the sums of all their subsets (elementwise.h, build_tables), 2 tables a step.
  // Weights: planes of two's complement, at 1 bit a plane whose set bits are +1 and the others -1; a byte is a subset of 4
  // elements:
  //
  //   plane q, step s | table 0: subset of channel 0 | ... | of channel 15 | table 1: ... |     32 bytes
  //   bit i of it is bit q of w[c][8 s + 4 table + i]
  kTables = 8,

  // Input: codes as they are, 4 a step. Weights: as of kBytes.
  // Every run is a whole number of tiles, all of the same number of steps and at most kTileSteps: codes behind a run may
  // be read, and have zero weights.
  kTiles = 9,

  // Input: tables of the sums of 16 codes of a pixel, 4 by 4, with all signs (elementwise.h, build_sign_tables): a table a
  // step.
  // Weights: planes of signs, whose sum is the weight if there is one and twice the weight if there are two; byte c of a
  // step's 4 bytes chooses the entry of the table for its 4 codes:
  //
  //   plane q, step s | channel 0: 4 entries | ... | channel 15: 4 entries |     64 bytes
  //   entry for codes 4 g..4 g + 3 with signs b0..b3 = 16 (b3 b2) + 4 g + (b1 b0)
  kSignTables = 10,
};

inline constexpr int kTileSteps = 16;

inline constexpr int kTripleSteps = 3;

inline constexpr int kSignTableBytes = 64;
inline constexpr int kSignTableChannels = 16;

inline constexpr int kDenseGroupBlocks = 8;

inline constexpr int kTableBytes = 16;

constexpr bool IsPlanes(ConvOperand operand) {
  return operand == ConvOperand::kSignPlanes || operand == ConvOperand::kPlanes64;
}

// Passes over bits of weights and activations that the operand takes for one product.
constexpr int BitProducts(ConvOperand operand, int weight_bits, int activation_bits) {
  // A sign and a magnitude; at 1 and 2 bits the sign is all.
  const bool signs = operand == ConvOperand::kSignPlanes && weight_bits > 1;
  return (signs ? weight_bits - 1 : weight_bits) * activation_bits;
}

// Bits of a code where the operand is kDense8, kDense4 or kDense2, else 0.
constexpr int DenseBits(ConvOperand operand) {
  switch (operand) {
    case ConvOperand::kDense8:
      return 8;
    case ConvOperand::kDense4:
      return 4;
    case ConvOperand::kDense2:
      return 2;
    default:
      return 0;
  }
}

}  // namespace bitpilot

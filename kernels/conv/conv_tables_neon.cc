// Convolution by table look-up on 64-bit Arm. As every kernel of an instruction set: use no inline function or template
// here but intrinsics and this file's own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_neon.inc"

// 12 accumulators, 2 vectors of weights, 1 of tables and 1 of sums looked up, of 32 registers.
constexpr int kTilePixels = 6;

// The sum is assembly, because the compiler would give it another register and move it back.
[[gnu::always_inline]] inline void AddLookup(Vec& acc, Vec table, Vec weights) {
  const uint8x16_t sums = vqtbl1q_u8(Bytes(table), Bytes(weights));
  asm("add %[acc].16b, %[acc].16b, %[sums].16b" : [acc] "+w"(acc) : [sums] "w"(sums));
}

#include "kernels/conv/conv_tables_vector.inc"

}  // namespace

void conv_w2a4_tables_neon(const ConvArgs& args, int row_begin, int row_end) {
  RunTables(args, row_begin, row_end);
}

}  // namespace bitpilot

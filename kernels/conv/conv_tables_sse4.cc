// SSE4.1 convolution by table look-up. Compiled with -msse4.1 on top of the project's flags: use no
// inline function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_sse4.inc"

// 12 accumulators, 2 vectors of weights, 1 of tables and 1 of sums looked up: the 16 registers.
constexpr int kTilePixels = 6;

// Assembly, because the compiler would look up first and run out of registers.
[[gnu::always_inline]] inline void AddLookup(Vec& acc, Vec table, Vec weights) {
  asm("pshufb %[weights], %[table]\n\t"
      "paddb %[table], %[acc]"
      : [acc] "+x"(acc), [table] "+x"(table)
      : [weights] "x"(weights));
}

#include "kernels/conv/conv_tables_vector.inc"

}  // namespace

void conv_w2a4_tables_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunTables(args, row_begin, row_end);
}

}  // namespace bitpilot

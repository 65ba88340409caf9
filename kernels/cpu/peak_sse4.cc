// Peak loop of SSE4.1 (kernels/cpu/peak_loop.h). Compiled with flags on top of the project's: use
// no inline function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <utility>

namespace bitpilot {
namespace {

// Products of 8 by 8 bits do not fit the 16-bit sums of bytes: words it is.
constexpr std::size_t kNumUnits = 8;

class Unit {
 public:
  [[gnu::always_inline]] void MultiplyAdd() {
    __m128i products;
    asm volatile("movdqa %[operand], %[products]\n\tpmaddwd %[operand], %[products]"
                 : [products] "=x"(products)
                 : [operand] "x"(operand_));
    sum_ = _mm_add_epi32(sum_, products);
  }
  [[gnu::always_inline]] void Keep() const { asm volatile("" : : "x"(sum_)); }

 private:
  __m128i sum_ = _mm_setzero_si128();
  __m128i operand_ = _mm_setzero_si128();
};

#include "kernels/cpu/peak_loop.inc"

}  // namespace

void peak_sse4(int rounds) { RunUnits(rounds, std::make_index_sequence<kNumUnits>()); }

}  // namespace bitpilot

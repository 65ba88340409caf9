// Peak loop of AVX-512 VNNI (kernels/cpu/peak_loop.h). Compiled with flags on top of the project's:
// use no inline function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <utility>

namespace bitpilot {
namespace {

constexpr std::size_t kNumUnits = 16;

class Unit {
 public:
  [[gnu::always_inline]] void MultiplyAdd() {
    asm volatile("vpdpbusd %[operand], %[operand], %[sum]"
                 : [sum] "+v"(sum_)
                 : [operand] "v"(operand_));
  }
  [[gnu::always_inline]] void Keep() const { asm volatile("" : : "v"(sum_)); }

 private:
  __m512i sum_ = _mm512_setzero_si512();
  __m512i operand_ = _mm512_setzero_si512();
};

#include "kernels/cpu/peak_loop.inc"

}  // namespace

void peak_avx512vnni(int rounds) { RunUnits(rounds, std::make_index_sequence<kNumUnits>()); }

}  // namespace bitpilot

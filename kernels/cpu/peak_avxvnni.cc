// Peak loop of AVX-VNNI (kernels/cpu/peak_loop.h). Compiled with flags on top of the project's: use
// no inline function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <utility>

namespace bitpilot {
namespace {

constexpr std::size_t kNumUnits = 12;

class Unit {
 public:
  [[gnu::always_inline]] void MultiplyAdd() {
    asm volatile("%{vex%} vpdpbusd %[operand], %[operand], %[sum]"
                 : [sum] "+x"(sum_)
                 : [operand] "x"(operand_));
  }
  [[gnu::always_inline]] void Keep() const { asm volatile("" : : "x"(sum_)); }

 private:
  __m256i sum_ = _mm256_setzero_si256();
  __m256i operand_ = _mm256_setzero_si256();
};

#include "kernels/cpu/peak_loop.inc"

}  // namespace

void peak_avxvnni(int rounds) { RunUnits(rounds, std::make_index_sequence<kNumUnits>()); }

}  // namespace bitpilot

// Peak loop of 64-bit Arm without dot products: two products of bytes in 16 bits, pairs of sums added up in 32 bits. As
// every kernel of an instruction set: use no inline function or template here but intrinsics and this file's own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bitpilot {
namespace {

constexpr std::size_t kNumUnits = 8;

class Unit {
 public:
  [[gnu::always_inline]] void MultiplyAdd() {
    asm volatile("" : "+w"(weights_));  // See peak_scalar.cc.
    const int16x8_t products = vmull_s8(vget_low_s8(weights_), vget_low_s8(weights_));
    sum_ = vpadalq_s16(sum_, vmlal_high_s8(products, weights_, weights_));
  }
  [[gnu::always_inline]] void Keep() const { asm volatile("" : : "w"(sum_)); }

 private:
  int32x4_t sum_ = vdupq_n_s32(0);
  int8x16_t weights_ = vdupq_n_s8(0);
};

#include "kernels/cpu/peak_loop.inc"

}  // namespace

void peak_neon(int rounds) { RunUnits(rounds, std::make_index_sequence<kNumUnits>()); }

}  // namespace bitpilot

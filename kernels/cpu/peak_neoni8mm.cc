// Peak loop of 64-bit Arm with products of byte matrices. As every kernel of an instruction set: use no inline function
// or template here but intrinsics and this file's own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bitpilot {
namespace {

constexpr std::size_t kNumUnits = 16;

class Unit {
 public:
  [[gnu::always_inline]] void MultiplyAdd() { sum_ = vusmmlaq_s32(sum_, codes_, weights_); }
  [[gnu::always_inline]] void Keep() const { asm volatile("" : : "w"(sum_)); }

 private:
  int32x4_t sum_ = vdupq_n_s32(0);
  uint8x16_t codes_ = vdupq_n_u8(0);
  int8x16_t weights_ = vdupq_n_s8(0);
};

#include "kernels/cpu/peak_loop.inc"

}  // namespace

void peak_neoni8mm(int rounds) { RunUnits(rounds, std::make_index_sequence<kNumUnits>()); }

}  // namespace bitpilot

// Peak loop of portable C++: one product a multiplication.
#include <cstddef>
#include <cstdint>
#include <utility>

namespace bitpilot {
namespace {

constexpr std::size_t kNumUnits = 8;

class Unit {
 public:
  [[gnu::always_inline]] void MultiplyAdd() {
    // Whoever reads this knows both factors; the compiler is to multiply all the same.
    asm volatile("" : "+r"(weight_));
    sum_ += weight_ * weight_;
  }
  [[gnu::always_inline]] void Keep() const { asm volatile("" : : "r"(sum_)); }

 private:
  std::int32_t sum_ = 0;
  std::int32_t weight_ = 0;
};

#include "kernels/cpu/peak_loop.inc"

}  // namespace

void peak_scalar(int rounds) { RunUnits(rounds, std::make_index_sequence<kNumUnits>()); }

}  // namespace bitpilot

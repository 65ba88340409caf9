// CpuFeatures: a set of what kernels need of a CPU beyond the baseline that the compiler assumes.
#pragma once

#include <cstdint>

namespace bitpilot {

// A bit each. What one of them stands for is detected in kernels/cpu/isa.cc.
enum class CpuFeature : std::uint32_t {
  kPortable = 0,  // Nothing.
  kPopcnt = 1U << 0,
  kSse4 = 1U << 1,
  kAvx2 = 1U << 2,
  kAvxVnni = 1U << 3,
  kAvx512Vnni = 1U << 4,
  kAmx = 1U << 5,
  kNeon = 1U << 6,     // Every 64-bit Arm core: 128-bit vectors.
  kDotProd = 1U << 7,  // sdot, udot
  kI8mm = 1U << 8,     // smmla, usmmla
};

// Plain data: sources compiled for one instruction set see it.
class CpuFeatures {
 public:
  constexpr CpuFeatures() = default;
  constexpr CpuFeatures(CpuFeature feature)  // NOLINT(google-explicit-constructor)
      : bits_(static_cast<std::uint32_t>(feature)) {}

  constexpr bool Includes(CpuFeatures others) const { return (others.bits_ & ~bits_) == 0; }
  constexpr bool Intersects(CpuFeatures others) const { return (others.bits_ & bits_) != 0; }

  friend constexpr CpuFeatures operator|(CpuFeatures a, CpuFeatures b) {
    CpuFeatures both;
    both.bits_ = a.bits_ | b.bits_;
    return both;
  }
  friend constexpr bool operator==(CpuFeatures, CpuFeatures) = default;

 private:
  std::uint32_t bits_ = 0;
};

constexpr CpuFeatures operator|(CpuFeature a, CpuFeature b) {
  return CpuFeatures(a) | CpuFeatures(b);
}

}  // namespace bitpilot

#include "kernels/cpu/peak_loop.h"

namespace bitpilot {

void peak_scalar(int rounds);
void peak_sse4(int rounds);
void peak_avx2(int rounds);
void peak_avxvnni(int rounds);
void peak_avx512vnni(int rounds);
void peak_neon(int rounds);
void peak_neondot(int rounds);
void peak_neoni8mm(int rounds);

namespace {

// Multiply-accumulates of a round: units times products of one instruction.
constexpr PeakLoop kPeakLoops[] = {
    {Isa::kScalar, "imul", 8 * 1, peak_scalar},
#if BITPILOT_HAVE_SSE4
    {Isa::kSse4, "pmaddwd xmm, paddd", 8 * 8, peak_sse4},
#endif
#if BITPILOT_HAVE_AVX2
    {Isa::kAvx2, "vpmaddwd ymm, vpaddd", 8 * 16, peak_avx2},
#endif
#if BITPILOT_HAVE_AVXVNNI
    {Isa::kAvxVnni, "vpdpbusd ymm", 12 * 32, peak_avxvnni},
#endif
#if BITPILOT_HAVE_AVX512VNNI
    {Isa::kAvx512Vnni, "vpdpbusd zmm", 16 * 64, peak_avx512vnni},
#endif
#if BITPILOT_HAVE_NEON
    {Isa::kNeon, "smull, smlal2, sadalp", 8 * 16, peak_neon},
#endif
#if BITPILOT_HAVE_NEONDOT
    {Isa::kNeonDot, "sdot", 16 * 16, peak_neondot},
#endif
#if BITPILOT_HAVE_NEONI8MM
    {Isa::kNeonI8mm, "usmmla", 16 * 32, peak_neoni8mm},
#endif
};

}  // namespace

std::span<const PeakLoop> AllPeakLoops() { return kPeakLoops; }

const PeakLoop& SelectPeakLoop(Isa limit) {
  const PeakLoop* best = &kPeakLoops[0];
  for (const PeakLoop& loop : kPeakLoops) {
    if (Allows(limit, loop.isa)) best = &loop;
  }
  return *best;
}

}  // namespace bitpilot

// AMX convolution kernel: tiles of dot products of bytes, exact for all widths. Compiled with
// AVX-512 flags on top of the project's, for the output stage: use no inline function or template
// here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx512.inc"

constexpr int kSumStride = 2 * kBlockChannels;

#include "kernels/output/output_vector.inc"

// Assembly, because the compiler's intrinsics take tile numbers as digits of the source only.
struct Tiles {
  template <class Config>
  static void Configure(const Config& config) {
    asm volatile("ldtilecfg %[config]" : : [config] "m"(config));
  }
  static void Release() { asm volatile("tilerelease"); }
  template <int kTile>
  [[gnu::always_inline]] static void Zero() {
    asm volatile("tilezero %%tmm%c[tile]" : : [tile] "i"(kTile));
  }
  template <int kTile>
  [[gnu::always_inline]] static void Load(const void* data, std::ptrdiff_t stride) {
    asm volatile("tileloadd (%[data],%[stride],1), %%tmm%c[tile]"
                 :
                 : [data] "r"(data), [stride] "r"(stride), [tile] "i"(kTile)
                 : "memory");
  }
  // sums += inputs (unsigned) x weights (signed).
  template <int kSums, int kInputs, int kWeights>
  [[gnu::always_inline]] static void Dot() {
    asm volatile("tdpbusd %%tmm%c[weights], %%tmm%c[inputs], %%tmm%c[sums]"
                 :
                 : [sums] "i"(kSums), [inputs] "i"(kInputs), [weights] "i"(kWeights));
  }
  template <int kTile>
  [[gnu::always_inline]] static void Store(void* data, std::ptrdiff_t stride) {
    asm volatile("tilestored %%tmm%c[tile], (%[data],%[stride],1)"
                 :
                 : [data] "r"(data), [stride] "r"(stride), [tile] "i"(kTile)
                 : "memory");
  }
};

class Sink {
 public:
  Sink(const OutputArgs& output, int row) : output_(output), cursor_(output, row) {}

  void Store(const std::int32_t* sums, int num_pixels, int num_blocks, int first) {
    StoreTile(output_, sums, num_pixels, num_blocks, first, cursor_);
    for (int i = 0; i < num_pixels; ++i) {
      cursor_.Advance();
    }
  }

 private:
  const OutputArgs& output_;
  OutputCursor cursor_;
};

#include "kernels/conv/conv_tiles.inc"

}  // namespace

void conv_w8a8_i32_amx(const ConvArgs& args, int row_begin, int row_end) {
  RunTiles(args, row_begin, row_end);
}

}  // namespace bitpilot

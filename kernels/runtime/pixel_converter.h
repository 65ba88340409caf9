// The first step of every run: from an image of bytes to codes, through the network's table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/cpu/isa.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/runtime/tensor_layout.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

class PixelConverter {
 public:
  // `layout` is the input tensor's.
  PixelConverter(const Network& network, const TensorLayout& layout, Isa isa);

  // pixels: [C, H, W] bytes, become [H, W, C] codes in the arena, by the pool's threads or, where
  // it is null, by the caller.
  void Convert(const std::uint8_t* pixels, std::uint8_t* arena, ThreadPool* pool) const;

 private:
  void ConvertRows(const std::uint8_t* pixels, int begin, int end, std::uint8_t* arena) const;

  TensorLayout layout_;
  std::vector<std::uint8_t> tables_;  // [C rounded up to 4, 256]
  const ElementwiseKernels* elementwise_;
};

}  // namespace bitpilot

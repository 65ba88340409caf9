// The first step of every run: from an image of bytes to codes, through the network's table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/tensor_layout.h"

namespace bitpilot {

class PixelConverter {
 public:
  // `layout` is the input tensor's.
  PixelConverter(const Network& network, const TensorLayout& layout);

  // pixels: [C, H, W] bytes, become [H, W, C] codes in the arena.
  void Convert(const std::uint8_t* pixels, std::uint8_t* arena) const;

 private:
  TensorLayout layout_;
  // Table of channel c, entries shifted to the byte that channel c has among its four neighbours,
  // so that a pixel's four codes are one "or" of entries and one store: [C rounded up to 4, 256].
  std::vector<std::uint32_t> shifted_codes_;
};

}  // namespace bitpilot

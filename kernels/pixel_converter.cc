#include "kernels/pixel_converter.h"

#include <cstring>

namespace bitpilot {

PixelConverter::PixelConverter(const Network& network, const TensorLayout& layout)
    : layout_(layout), shifted_codes_(static_cast<std::size_t>(layout.pixel_bytes) * 256) {
  for (std::size_t c = 0; c < static_cast<std::size_t>(layout.shape.channels); ++c) {
    for (std::size_t pixel = 0; pixel < 256; ++pixel) {
      const std::uint8_t code = network.input_codes[c * 256 + pixel];
      // Bytes in memory order, whatever the machine's.
      std::memcpy(reinterpret_cast<std::uint8_t*>(&shifted_codes_[c * 256 + pixel]) + c % 4, &code,
                  1);
    }
  }
}

void PixelConverter::Convert(const std::uint8_t* pixels, std::uint8_t* arena) const {
  const TensorShape& shape = layout_.shape;
  const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(shape.height) * shape.width;
  for (int first = 0; first < shape.channels; first += 4) {
    // Channels past the last have tables of zeros; any plane will do for them.
    const std::uint8_t* planes[4];
    const std::uint32_t* tables[4];
    for (int c = 0; c < 4; ++c) {
      planes[c] = pixels + (first + c < shape.channels ? first + c : first) * plane;
      tables[c] = shifted_codes_.data() + (first + c) * std::ptrdiff_t{256};
    }
    std::ptrdiff_t i = 0;
    for (int y = 0; y < shape.height; ++y) {
      std::uint8_t* codes = arena + layout_.origin_offset() + y * layout_.row_bytes + first;
      for (int x = 0; x < shape.width; ++x, ++i, codes += layout_.pixel_bytes) {
        const std::uint32_t packed = tables[0][planes[0][i]] | tables[1][planes[1][i]] |
                                     tables[2][planes[2][i]] | tables[3][planes[3][i]];
        std::memcpy(codes, &packed, sizeof(packed));
      }
    }
  }
}

}  // namespace bitpilot

#include "kernels/runtime/pixel_converter.h"

#include <algorithm>

namespace bitpilot {

PixelConverter::PixelConverter(const Network& network, const TensorLayout& layout, Isa isa)
    : layout_(layout),
      tables_(static_cast<std::size_t>(layout.pixel_bytes + 3) / 4 * 4 * 256),
      elementwise_(&SelectElementwiseKernels(isa)) {
  std::copy(network.input_codes.begin(), network.input_codes.end(), tables_.begin());
}

void PixelConverter::Convert(const std::uint8_t* pixels, std::uint8_t* arena,
                             ThreadPool* pool) const {
  ShareOut(pool, layout_.shape.height,
           [&](int begin, int end, int) { ConvertRows(pixels, begin, end, arena); });
}

void PixelConverter::ConvertRows(const std::uint8_t* pixels, int begin, int end,
                                 std::uint8_t* arena) const {
  const TensorShape& shape = layout_.shape;
  const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(shape.height) * shape.width;
  for (int first = 0; first < shape.channels; first += 4) {
    // Channels past the last have tables of zeros; any plane will do for them.
    const std::uint8_t* planes[4];
    for (int c = 0; c < 4; ++c) {
      planes[c] = pixels + (first + c < shape.channels ? first + c : first) * plane +
                  std::ptrdiff_t{begin} * shape.width;
    }
    for (int y = begin; y < end; ++y) {
      elementwise_->convert_pixels(planes, tables_.data() + first * std::ptrdiff_t{256},
                                   shape.width, layout_.pixel_bytes,
                                   arena + layout_.origin_offset() + y * layout_.row_bytes + first);
      for (const std::uint8_t*& channel : planes) {
        channel += shape.width;
      }
    }
  }
}

}  // namespace bitpilot
